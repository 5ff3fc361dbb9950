"""A regex means to the filter what it means to Envoy's own routes, or it is refused.

Envoy's RE2 reads UTF-8 up to 1.38 and single bytes (Latin-1) from 1.39 on. The filter reads UTF-8 on all of them, so that an
upgrade of the gateway changes nobody's rule; from 1.39 on the two are compared on ASCII alone.
"""

import random
import re

import pytest
from client import Connection
from gateway import Envoy, Plugin, bootstrap, connection_manager, header_match, listener, route

PATTERNS = """
a|ab  ab|a  (a|b)*  (?:a|b)+  a*  a+?  a??  [a-c]+  [^a-c]  [^a]*  []a]+  [^]a]+  [a-]+  [-a]+  [.]  [\\]]  [\\\\]  [a\\-z]+  .  .+
.*  ^ab$  \\Aab\\z  (^|x)ab($|y)  ab\\b  \\bab\\b.*  \\Bb  a\\Bb  \\d+  \\D+  \\w+  \\W  \\s  \\S+  [\\d]+  [\\w-]+  [\\s]  [^\\s]+  [^\\d]+  [\\D]
[[:alpha:]]+  [[:^alpha:]]+  [[:digit:][:upper:]]+  [[:punct:]]  [[:space:]]  [[:word:]]+  [^[:alnum:]]  [[:xdigit:]]+  [[:print:]]+
\\x41  \\x{e4}  \\x{1F600}  [\\x41-\\x43]+  ä+  [ä-ü]  é|e  .é  a\\.b  a\\/b  \\*\\+\\?  \\{\\}  \\(\\)  \\[\\]  \\|  \\^\\$  \\"  \\%  a\\tb
(?i)ab  (?i:ab)c  a(?i)b  (?i)a(?-i)b  (?i)[abc]+  (?i)[a-j]+  (?s)a.b  (?m)^a$  (?U)a+  (?is)ab  (?i)k+  (?i)xs?k  s(?i)a  (?i:k)s  (?i)[a-z]+  (?i)[^k]+  (?i)\\w+  (?i)\\W  (?i)[[:alpha:]]+  (?P<n>a)b  (?<n>a)b  ()a  a||b  (|a)b
a{2}  a{2,}  a{2,3}  (ab){2}  a{0}b  a{0,1}b  a{2}?  (?:a{10}){10}  a{1000}  x?y?z?  (a*)*  (a*)+  (a|a)*b  (?:a?){5}  //.*  /v[0-9]+/.*
[a&&b] [a&b]+  [a~b]+  [a--b]  [+--]  a{,3}  a{1001}  (a{100}){11}  (?x)a  (?i)ſ  (?i)[\\W]  (?i)[[:^alpha:]]  \\pL  \\p{Greek}  \\Q.\\E  \\C
(?=a)  (?<=a)  (a)\\1  \\07  \\<a  \\_  \\Z  a**  a++  (?u)a  [[a]]  [z-a]  \\u0041  \\b{start}a  (  )  [  *  \\  (?P=n)  [[:x:]]  [a-\\d]
""".split()
# What the filter must refuse: RE2 refuses it too, or reads it in another way.
REFUSED = set(PATTERNS[PATTERNS.index("[a&&b]") :]) - {"[a&b]+", "[a~b]+"}

VALUES = [
    *["", "a", "b", "ab", "AB", "aB", "Ab", "abc", "abC", "aa", "aaa", "abab", "aaaa", "b a", "a b", "x ab y", "xab", "aby", "xaby", "-", "_", "."],
    *["]", "[", "\\", "*+?", "{}", "()", "[]", "|", "^$", '"', "%", "&", "&&", "~", "/", "//", "/v1/x", "/v12/", "a.b", "a/b", "axb", "a\tb", "0", "42"],
    *["A", "ABC", "K", "k", "ſ", "K", "s", "ä", "ö", "é", "xé", "e", "😀", "٣", "c", "z", "xyz", "xz", "a" * 100, "a" * 1000, "a" * 1001, "!", "~~", "é é"],
    *["\x80", "a\xff", "\xc3"],
]


def random_patterns(count, seed=7):
    """Patterns of pieces that mean something together, some of which will be refused."""
    pieces = ["a", "b", ".", "ä", "[a-c]", "[^b]", "\\d", "\\w", "\\s", "\\S", "\\b", "^", "$", "(a|b)", "(?:ab)", "(?i)", "(?i:c)", "|", "-"]
    repeats = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "*?", "{0,2}?"]
    chance = random.Random(seed)
    return ["".join(chance.choice(pieces) + chance.choice(repeats) for _ in range(chance.randint(1, 5))) for _ in range(count)]


def is_comparable(version, text):
    """Whether the filter and this Envoy mean to read the text alike."""
    reads_utf8 = tuple(map(int, version.split(".")[:2])) < (1, 39)
    return reads_utf8 or (text.isascii() and not re.search(r"\\x\{", text))


def as_bytes(text):
    """The text's UTF-8 as the client takes it: one character is one byte. What is below U+0100 but no ASCII is sent as it is."""
    raw = re.fullmatch("[\x00-\x7f]*[\x80\xff\xc3]", text)
    return text if raw else text.encode().decode("latin-1")


def rules(patterns):
    match = [{"match": [{"uri": {"prefix": f"/{n}/"}, "headers": {"x-value": {"regex": p}}}]} for n, p in patterns.items()]
    return {"rules": [{"name": f"r{n}", "subset": "yes", **m} for n, m in zip(patterns, match)]}


def gateway(version, directory, patterns, routes):
    plugin = Plugin("istio-system.regex", directory, root_id="regex")
    plugin.write(rules(patterns))
    manager = connection_manager("regex", [plugin.filter()], routes)
    config = bootstrap([listener("regex", manager)])
    # Istio lets regexes be as large.
    limit = {"name": "istio", "static_layer": {"re2.max_program_size.error_level": 32768}}
    config["layered_runtime"] = {"layers": [limit]}
    return plugin, Envoy(version, config)


@pytest.fixture(scope="module")
def accepted(version, tmp_path_factory):
    """The patterns that the filter takes, by number."""
    patterns = dict(enumerate(PATTERNS + random_patterns(300)))
    plugin, envoy = gateway(version, tmp_path_factory.mktemp("all"), patterns, [])
    with envoy:
        lines = [text for level, text in envoy.plugin_log(plugin) if " is off)" in text]
    refused = {int(re.match(r"rules\[(\d+)\]\.match\[0\]\.headers\.x-value\.regex: ", line)[1]) for line in lines}
    assert {patterns[n] for n in refused if n < len(PATTERNS)} == REFUSED
    return {n: pattern for n, pattern in patterns.items() if n not in refused and is_comparable(version, pattern)}


def test_a_regex_means_what_it_means_to_envoy(version, accepted, tmp_path):
    assert len(accepted) > 150

    def say(text):
        return {"direct_response": {"status": 200, "body": {"inline_string": text}}}

    routes = []
    for n, pattern in accepted.items():
        ours = header_match("x-canary-subset", exact="yes")
        envoys = header_match("x-value", safe_regex={"regex": pattern})
        prefix = f"/{n}/"
        routes += [route(say("both"), prefix, [ours, envoys]), route(say("filter"), prefix, [ours]), route(say("Envoy"), prefix, [envoys])]
    plugin, envoy = gateway(version, tmp_path, accepted, [*routes, route(say("none"))])
    with envoy, Connection(envoy.port("regex")) as connection:
        differences, both = [], 0
        for n, pattern in accepted.items():
            for value in (value for value in VALUES if is_comparable(version, value)):
                response = connection.request(path=f"/{n}/", headers=[("x-value", as_bytes(value))])
                assert response.status == 200, (pattern, value, response)
                both += response.body == b"both"
                if response.body not in (b"both", b"none"):
                    differences.append(f"{pattern!r} matches {value!r} only in {response.body.decode()}")
        assert differences == []
        assert both > 1000

"""The case table (tests/cases) through the built module in a real Envoy."""

import re
import time

import metrics
import pytest
import yaml
from client import Connection
from cookies import minute
from discovery import Listeners, source
from gateway import (
    HEADER,
    ISTIO,
    Envoy,
    Plugin,
    bootstrap,
    cluster,
    connection_manager,
    header_match,
    listener,
    route,
    token,
    verified_tokens,
)
from repository import ROOT
from upstream import Answer
from yaml12 import Yaml

CASE = {"name", "config", "configText", "errors", "rules", "header", "requests", "then"}
SENT = {"method", "scheme", "host", "path", "headers", "client", "claims", "provider", "response"}
REQUEST = SENT | {"subset", "oneOf", "positions", "source", "rule", "setCookie", "clientSees"}
# Cases share an Envoy, as two WasmPlugins share a gateway; on listeners of their own they do not disturb each other.
RIVAL = re.compile(r"another plugin, .*, writes .* too: the later one undoes what the earlier one decides")


def read_cases():
    cases = []
    for path in sorted((ROOT / "tests/cases").glob("*.yaml")):
        for case in yaml.load(path.read_text(), Yaml):
            cases.append(pytest.param(case, id=f"{path.stem}: {case['name']}"))
    names = [case.values[0]["name"] for case in cases]
    assert names and len(set(names)) == len(names), "no cases, or two of one name"
    return cases


# A listener takes an instance of inotify, of which a user has 128 as a rule.
ROOM = 25


class Gateway:
    """An Envoy that gets a listener of its own for each case while it runs; a new one when it is full."""

    def __init__(self, version, directory, upstream, certificate):
        self.version = version
        self.directory = directory
        self.certificate = certificate
        self.clusters = [cluster(name, port) for name, port in upstream.ports.items()]
        self.listeners = []
        self.discovered = self.envoy = None

    def make_room(self):
        """An Envoy that takes one more listener."""
        if self.envoy and len(self.listeners) < ROOM:
            return
        self.stop()
        self.listeners = []
        self.discovered = Listeners(self.directory / "lds.json")
        self.discovered.write()
        config = bootstrap([], self.clusters, lds_config=source(self.discovered.file))
        self.envoy = Envoy(self.version, config, concurrency=2).start()

    def stop(self):
        if self.envoy:
            self.envoy.stop()

    def add(self, name, headers, config):
        """A listener with a plugin of this config; the route follows any of the headers."""
        plugin = Plugin(f"istio-system.{name}", self.directory, root_id=name)
        plugin.write(config)
        routes = [route("v2", headers=[header_match(header, prefix="v2")]) for header in headers]
        # Without this Envoy answers methods that it does not know itself.
        more = {"http_protocol_options": {"allow_custom_methods": True}, "xff_num_trusted_hops": 1}
        manager = connection_manager(name, [verified_tokens(), plugin.filter()], [*routes, route("v1")], **more)
        self.listeners.append(listener(name, manager, self.certificate))
        self.discovered.write(*self.listeners)
        return plugin, self.envoy.port(name)


@pytest.fixture(scope="module")
def gateway(version, tmp_path_factory, upstream, certificate):
    gateway = Gateway(version, tmp_path_factory.mktemp("lds"), upstream, certificate)
    try:
        yield gateway
    finally:
        gateway.stop()


@pytest.mark.parametrize("case", read_cases())
def test_case(gateway, upstream, case):
    phases = [case, *case.get("then", [])]
    gateway.make_room()
    name = f"case-{len(gateway.listeners)}"
    plugin = port = None
    # The gauge is that of all live plugins, and those of the other cases stay.
    others = metrics.rules(gateway.envoy)
    for number, phase in enumerate(phases):
        unknown = phase.keys() - (CASE if number == 0 else CASE - {"name", "then"})
        assert not unknown, f"the runner does not know {unknown}"
        assert ("config" in phase) != ("configText" in phase), "config or configText"
        config = phase.get("config", phase.get("configText"))
        log, faults = gateway.envoy.log_size(), metrics.faults(gateway.envoy)
        if plugin is None:
            plugin, port = gateway.add(name, {header_of(p) for p in phases}, config)
        else:
            plugin.update(gateway.envoy, config)
        check_report(gateway.envoy, plugin, log, faults, others, phase)
        with Connection(port) as plain, Connection(port, tls=True) as tls:
            for at, request in enumerate(phase["requests"]):
                connection = tls if request.get("scheme", "https") == "https" else plain
                visit = Visit(gateway.envoy, upstream, connection, header_of(phase), positions_of(phase))
                try:
                    visit.check(request)
                except AssertionError as error:
                    raise AssertionError(f"phase {number}, request {at}: {request}\n{error}") from error


def header_of(phase):
    """Where the subset is looked for. A config whose header is not valid says itself that another one is meant."""
    config = phase.get("config")
    configured = config.get("header") if isinstance(config, dict) else None
    valid = isinstance(configured, str) and re.fullmatch(r"x-(?!forwarded)[-a-z0-9]+", configured)
    return phase.get("header") or (configured if valid else HEADER)


def positions_of(phase):
    """The headers of positions that the phase speaks about."""
    return sorted({header for request in phase["requests"] for header in request.get("positions", {})})


def check_report(envoy, plugin, log, faults_before, others, phase):
    """A fault is one error line and one increment, however many workers there are; the gauge is the rules'."""
    said = envoy.plugin_log(plugin, log)
    errors = [text for level, text in said if level != "info" and not RIVAL.match(text)]
    expected = phase.get("errors", [])
    assert len(errors) == len(expected), errors
    for text, start in zip(errors, expected):
        assert text.startswith(start + " (") and text.endswith(")"), f"{text!r} is not {start!r} (…)"
    assert metrics.faults(envoy) - faults_before == len(expected)
    assert metrics.config_faults(envoy, plugin) == len(expected)
    assert [level for level, _ in said].count("info") == 1, said
    if "rules" in phase:
        assert {state: count - others[state] for state, count in metrics.rules(envoy).items()} == phase["rules"]


def counters(envoy):
    """The counters of requests and responses, by name and labels."""
    found = {}
    for name, value in envoy.stats("wasmcustom.rule=").items():
        *labels, kind = name.removeprefix("wasmcustom.").split(";.;")
        found[(kind, *(label.split("=.=")[1] for label in labels))] = value
    return found


class Visit:
    """One request of a case and, where it draws, the next one of the same visitor."""

    def __init__(self, envoy, upstream, connection, header, position_headers):
        self.envoy = envoy
        self.upstream = upstream
        self.connection = connection
        self.header = header
        self.position_headers = position_headers

    def check(self, request):
        unknown = request.keys() - REQUEST
        assert not unknown, f"the runner does not know {unknown}"
        assert ("subset" in request) != ("oneOf" in request), "subset or oneOf"
        headers = [(name, at_minute(value)) for name, value in request.get("headers", [])]
        if "client" in request:
            headers.append(("x-forwarded-for", request["client"]))
        if "claims" in request:
            headers.append(("authorization", f"Bearer {token(request['claims'], request.get('provider', ISTIO))}"))
        subset, source, cookie = self.ask(request, headers, request.get("setCookie"))
        if "oneOf" in request:
            assert subset in request["oneOf"]
        else:
            assert subset == request["subset"]
        if "source" in request:
            assert source == request["source"]
        if cookie and ("{draw}" in request["setCookie"] or "{kept}" in request["setCookie"]):
            name, value = cookie.split(";")[0].split("=", 1)
            again, source, _ = self.ask(request, with_cookie(headers, name, value), None)
            assert again == subset and source in ("cookie", "kept", "fixed", "remembered"), "the next request of the same visitor"

    def ask(self, request, headers, expected_cookie):
        """What the application saw as subset, what it rests on, and the filter's cookie."""
        response = {"status": 200, "headers": []} | request.get("response", {})
        self.upstream.answer = Answer(response["status"], response["headers"])
        self.upstream.take()
        before, start = counters(self.envoy), time.time()
        got = self.connection.request(
            request.get("method", "GET"),
            path=request.get("path", "/"),
            host=request.get("host", "canary.example.com"),
            headers=headers,
        )
        minutes = range(int(start // 60), int(time.time() // 60) + 1)
        assert got.status == response["status"], got
        (seen,) = self.upstream.take()

        values = seen.values(self.header)
        assert len(values) <= 1, f"{self.header} reached the application more than once: {values}"
        subset = values[0].decode("latin-1") if values else None
        plain = subset.split(".")[0] if subset else ""
        assert seen.server == ("v2" if plain.startswith("v2") else "v1"), "the route follows the header"

        for header in self.position_headers:
            values, expected = seen.values(header), request.get("positions", {}).get(header)
            if expected == "any":
                assert len(values) == 1 and int(values[0]) < 2**32, values
            else:
                assert values == ([expected.encode()] if expected else []), f"{header}: {values}"

        # Every request counts exactly once, and so does its response.
        after = counters(self.envoy)
        grown = {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}
        assert sorted(grown.values()) == [1, 1], grown
        (rule, counted, source) = next(key[1:] for key in grown if key[0] == "canary_requests_total")
        assert ("canary_responses_total", rule, counted, f"{response['status'] // 100}xx") in grown, grown
        assert counted == plain
        if "rule" in request:
            assert rule == (request["rule"] or "")

        for name, value in request.get("clientSees", []):
            assert got.values(name) == [value]

        own = [value for name, value in response["headers"] if name == "set-cookie"]
        cookies = got.values("set-cookie")
        assert cookies[: len(own)] == own, "the application's own cookies"
        ours = cookies[len(own) :]
        if expected_cookie is None:
            assert ours == []
            return subset, source, None
        pattern = re.escape(expected_cookie).replace(r"\{draw\}", "[0-9a-f]{8}")
        pattern = pattern.replace(r"\{kept\}", r"[a-z0-9-]+\.[0-9a-f]{16}")
        now = "|".join(f"{minute:07x}" for minute in minutes)
        assert len(ours) == 1, ours
        assert re.fullmatch(pattern.replace(r"\{now\}", f"(?:{now})"), ours[0]), f"{ours[0]} is not {expected_cookie}"
        return subset, source, ours[0]


def at_minute(value):
    """`{now}`, `{now-90}` and `{now+5}` as the cookie writes a minute."""
    return re.sub(r"\{now([-+]\d+)?\}", lambda match: minute(int(match[1] or 0)), value)


def with_cookie(headers, name, value):
    """The same headers, with this cookie in place of any other of its name."""
    kept, pairs = [], []
    for key, line in headers:
        if key.lower() == "cookie":
            pairs += [pair for pair in line.split(";") if pair.split("=")[0].strip() != name]
        else:
            kept.append((key, line))
    return [*kept, ("cookie", "; ".join([*(pair.strip() for pair in pairs), f"{name}={value}"]))]

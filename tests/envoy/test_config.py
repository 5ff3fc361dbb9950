"""No config can harm a gateway."""

import json
import random
from concurrent.futures import ThreadPoolExecutor

import metrics
import pytest
from client import Connection
from configs import split_rule
from discovery import Listeners, source
from gateway import (
    HEADER,
    Envoy,
    Plugin,
    bootstrap,
    cluster,
    connection_manager,
    listener,
    subset_routes,
    until,
)
from repository import WASM
from upstream import Answer

GOOD = {
    "seal": "7d1f4c0a9b3e52d8",
    "rules": [
        {
            "name": "testers",
            "hosts": ["canary.example.com"],
            "match": [{"headers": {"x-key": {"exact": "k"}}}],
            "subset": "v2",
        },
        {
            "name": "httpbin",
            "hosts": ["*.example.com", "[::1]"],
            "match": [{"uri": {"regex": "/a|/b.*"}, "cookies": {"c": {"prefix": "d"}}}, {"method": {"exact": "GET"}}],
            "split": [{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 20}],
            "sticky": {"salt": "s", "cookie": {"ttl": "720h", "sameSite": "Lax", "domain": "example.com", "path": "/"}},
        },
    ],
}
V2 = {"rules": [{"name": "t", "subset": "v2"}]}


class Gateway:
    """A fresh Envoy with the filter once or more often on one listener."""

    def __init__(self, version, directory, upstream, *configs, before=()):
        """`before`: filters before ours."""
        self.upstream = upstream
        names = ["canary", "other"][: len(configs)]
        self.plugins = [Plugin(f"istio-system.{name}", directory, root_id=name) for name in names]
        for plugin, config in zip(self.plugins, configs):
            plugin.write(config)
        manager = connection_manager("http", [*before, *(plugin.filter() for plugin in self.plugins)], subset_routes())
        clusters = [cluster(name, port) for name, port in upstream.ports.items()]
        self.envoy = Envoy(version, bootstrap([listener("http", manager)], clusters), concurrency=2)

    def __enter__(self):
        self.envoy.__enter__()
        return self

    def __exit__(self, *_):
        self.envoy.__exit__()

    def ask(self, *headers):
        """Which subset header the application saw, and which subset's server it was."""
        self.upstream.answer = Answer()
        self.upstream.take()
        with Connection(self.envoy.port("http")) as connection:
            assert connection.request(headers=headers).status == 200
        (seen,) = self.upstream.take()
        return seen.values(HEADER), seen.server

    def errors(self, plugin=0):
        return self.envoy.errors(self.plugins[plugin])

    def refused(self):
        stats = self.envoy.stats("extension_config_discovery.http_filter.")
        return sum(value for name, value in stats.items() if name.endswith((".config_fail", ".update_rejected")))


@pytest.mark.parametrize(
    "config",
    ["7", "[]", '"v2"', "true", "{", "\x00", "rules", '{"rules":{}}', '{"header":"x-a"}', '{"rules":[],"seal":"s"}'],
)
def test_a_fresh_gateway_serves_whatever_the_config_is(version, tmp_path, upstream, config):
    with Gateway(version, tmp_path, upstream, config) as gateway:
        stripped = "x-a" if "x-a" in config else HEADER
        if stripped == HEADER:
            assert gateway.ask((HEADER, "v2")) == ([], "v1")
        assert gateway.ask() == ([], "v1")
        assert len(gateway.errors()) == 1 and gateway.errors()[0].endswith(f"{stripped} is removed from every request)")
        gateway.plugins[0].update(gateway.envoy, V2)
        assert gateway.ask((HEADER, "v1")) == ([b"v2"], "v2")
        assert gateway.refused() == 0


def test_a_bad_rule_on_update_keeps_its_last_good_version(version, tmp_path, upstream):
    with Gateway(version, tmp_path, upstream, V2) as gateway:
        (plugin,) = gateway.plugins
        for bad in ({"rules": [{"name": "t", "subset": "V1"}]}, "7", "{", {"rules": 1}):
            plugin.update(gateway.envoy, bad)
            assert gateway.ask() == ([b"v2"], "v2"), bad
        assert metrics.rules(gateway.envoy)["last_good"] == 1
        plugin.update(gateway.envoy, {"rules": [{"name": "t", "subset": "v1"}]})
        assert gateway.ask() == ([b"v1"], "v1")
        assert len(gateway.errors()) == 4 and gateway.refused() == 0


def test_a_gateway_that_starts_with_a_bad_rule_keeps_the_others(version, tmp_path, upstream):
    with Gateway(version, tmp_path, upstream, {"rules": [{"name": "bad"}, *V2["rules"]]}) as gateway:
        assert gateway.ask() == ([b"v2"], "v2")
        assert gateway.errors() == ["rules[0]: none of subset, split, adopt is given (rule bad is off)"]


def test_two_plugins_with_one_header_are_told_apart_in_an_error(version, tmp_path, upstream):
    with Gateway(version, tmp_path, upstream, V2, V2) as gateway:
        rivals = [text for plugin in (0, 1) for text in gateway.errors(plugin) if text.startswith("another plugin, ")]
        assert len(rivals) == 1 and HEADER in rivals[0], rivals
    with Gateway(version, tmp_path, upstream, V2, V2 | {"header": "x-other"}) as gateway:
        assert gateway.errors(0) == gateway.errors(1) == []
        assert gateway.ask(("x-other", "v1")) == ([b"v2"], "v2")


def test_gauges_say_what_is_in_force_and_forget_a_plugin_that_is_gone(version, tmp_path, upstream):
    plugin, other = (Plugin(f"istio-system.{name}", tmp_path, root_id=name) for name in ("canary", "other"))
    plugin.write({"rules": [split_rule(80, 20, "t"), {"name": "bad"}]})
    other.write({"header": "x-other", "rules": [{"name": "o", "subset": "v1"}]})
    listeners = Listeners(tmp_path / "listeners.json")
    each = {p.root_id: listener(p.root_id, connection_manager("http", [p.filter()], subset_routes())) for p in (plugin, other)}
    listeners.write(*each.values())
    clusters = [cluster(name, port) for name, port in upstream.ports.items()]
    with Envoy(version, bootstrap([], clusters, lds_config=source(listeners.file)), concurrency=2) as envoy:

        def gauges():
            faulty = metrics.rule_faults(envoy), metrics.config_faults(envoy, plugin)
            return weights(envoy), list(metrics.rules(envoy).values()), faulty, metrics.fingerprint(envoy, plugin)

        def become(*expected):
            until(lambda: gauges() == expected, lambda: f"{expected}, not {gauges()}")

        fault = {("bad", "off")}, 1
        until(lambda: metrics.fingerprint(envoy, plugin), "a fingerprint")
        one, two = (metrics.fingerprint(envoy, each) for each in (plugin, other))
        assert one != two
        become([80, 20], [2, 0, 1], fault, one)
        # The other one's news change nothing of this one's.
        other.update(envoy, {"header": "x-other", "rules": []})
        become([80, 20], [1, 0, 1], fault, one)
        listeners.write(each["other"])
        become([0, 0], [0, 0, 0], (set(), 0), 0)
        listeners.write(*each.values())
        become([80, 20], [1, 0, 1], fault, one)
        # It ends well with plugins loaded.
        envoy.process.terminate()
        assert envoy.process.wait(30) == 0, envoy.log_tail()


def weights(envoy):
    """What the gauges say of the split in `ramp`."""
    return [metrics.weight(envoy, "t", subset) for subset in ("v1", "v2")]


def ramp(v1, v2):
    return {"rules": [split_rule(v1, v2, "t")]}


BAD = {"rules": [{"name": "t"}]}


def test_an_earlier_config_with_a_new_build_is_in_force_and_becomes_last_good(version, tmp_path, upstream):
    with Gateway(version, tmp_path, upstream, ramp(1, 0)) as gateway:
        (plugin,) = gateway.plugins
        plugin.update(gateway.envoy, ramp(0, 1))
        assert gateway.ask() == ([b"v2"], "v2") and weights(gateway.envoy) == [0, 1]
        plugin.wasm = another_build(tmp_path)
        plugin.update(gateway.envoy, ramp(1, 0))
        assert gateway.ask() == ([b"v1"], "v1")
        until(lambda: weights(gateway.envoy) == [1, 0], lambda: f"1/0, not {weights(gateway.envoy)}")
        plugin.update(gateway.envoy, BAD)
        for _ in range(4):
            assert gateway.ask() == ([b"v1"], "v1")
        assert weights(gateway.envoy) == [1, 0]


def test_a_new_build_with_the_same_config_shows_the_gauges_again_and_goes_on_counting(version, tmp_path, upstream):
    with Gateway(version, tmp_path, upstream, ramp(3, 1)) as gateway:
        (plugin,) = gateway.plugins
        assert weights(gateway.envoy) == [3, 1]
        for _ in range(8):
            gateway.ask()
        counted = metrics.counted(gateway.envoy)
        assert min(counted) >= 8

        before, fingerprint = metrics.vms(gateway.envoy), metrics.fingerprint(gateway.envoy, plugin)
        assert fingerprint
        plugin.wasm, plugin.config = another_build(tmp_path), None
        plugin.update(gateway.envoy, ramp(3, 1))
        # The VMs of the old build end after that, and take nothing with them.
        until(lambda: metrics.vms(gateway.envoy) == before, lambda: f"{before} VMs, not {metrics.vms(gateway.envoy)}")
        until(lambda: weights(gateway.envoy) == [3, 1], lambda: f"3/1, not {weights(gateway.envoy)}")
        assert metrics.rules(gateway.envoy)["active"] == 1
        assert metrics.fingerprint(gateway.envoy, plugin) == fingerprint
        assert metrics.counted(gateway.envoy) == counted, "counters go on"


def another_build(directory):
    """The module with a custom section more (WebAssembly core specification, 5.5.3): other bytes, the same code."""
    path = directory / "another.wasm"
    path.write_bytes(WASM.read_bytes() + b"\x00\x04\x03abc")
    return path


def busy_filter():
    """Keeps a worker busy for three seconds of the process's time if a request asks for it."""
    lua = """
    function envoy_on_request(handle)
      if handle:headers():get("x-busy") then
        local start = os.clock()
        while os.clock() - start < 3 do end
      end
    end"""
    kind = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
    config = {"@type": kind, "default_source_code": {"inline_string": lua}}
    return {"name": "envoy.filters.http.lua", "typed_config": config}


def test_going_back_while_a_worker_is_busy_goes_back_everywhere(version, tmp_path, upstream):
    first, second = ({"rules": [split_rule(*shares, "t")]} for shares in ((1, 0), (0, 1)))
    with Gateway(version, tmp_path, upstream, first, before=[busy_filter()]) as gateway:
        (plugin,) = gateway.plugins
        upstream.answer = Answer()
        with ThreadPoolExecutor(1) as pool, Connection(gateway.envoy.port("http")) as connection:
            busy = pool.submit(connection.request, headers=[("x-busy", "1")])
            plugin.write(second)
            until(lambda: weights(gateway.envoy) == [0, 1], "the others have the second config")
            plugin.write(first)
            assert not busy.done(), "the worker was not busy for long enough"
            assert busy.result().status == 200
        until(lambda: weights(gateway.envoy) == [1, 0], lambda: f"1/0, not {weights(gateway.envoy)}")
        for _ in range(16):
            assert gateway.ask() == ([b"v1"], "v1")
        plugin.update(gateway.envoy, BAD)
        for _ in range(16):
            assert gateway.ask() == ([b"v1"], "v1")


def test_no_config_is_refused(version, tmp_path, upstream):
    """Broken in a hundred places: each is taken, and the gateway serves."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    text = json.dumps(GOOD)
    with Gateway(version, tmp_path, upstream, GOOD) as gateway:
        (plugin,) = gateway.plugins
        for _ in range(100):
            plugin.update(gateway.envoy, broken(text, rng))
            gateway.ask()
        plugin.update(gateway.envoy, V2)
        assert gateway.ask() == ([b"v2"], "v2")
        assert gateway.refused() == 0
        assert gateway.envoy.crashes() == []


def broken(text, rng):
    """The text with one to three places cut out, doubled or overwritten."""
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(text))
        end = min(len(text), start + rng.choice([1, 1, 1, 2, 5, 20]))
        part = text[start:end]
        new = rng.choice(
            ["", part * 2, "-1", "1e9", "null", "{", "]", '"', "\\", "\\ud800", "\u00ff", "\x01", "9" * 30, "[" * 300]
        )
        text = text[:start] + new + text[end:]
    return text

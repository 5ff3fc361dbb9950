"""A canary that fails leaves by itself, on a real clock: what design.md promises of the guard."""

import itertools
import time
from dataclasses import dataclass, field

import pytest
from client import Closed, Connection, ask_all, request_bytes
from configs import split_rule
from gateway import (
    HEADER,
    Envoy,
    Plugin,
    bootstrap,
    cluster,
    connection_manager,
    echo_listener,
    header_match,
    listener,
    newest,
    route,
    until,
)
from upstream import Answer

RATE = 200  # requests a second and rule
TURNS = 10  # a second
RUNS = 20
SECONDS = 10


def guarded(name, host, **more):
    return split_rule(80, 20, name=name, hosts=[host], sticky={"keys": [{"header": "x-user"}]}, guard={}, **more)


def half_failing(name, where):
    """An application of which half the answers are errors."""
    half = {"default_value": {"numerator": 50, "denominator": "HUNDRED"}}
    fails = route({"direct_response": {"status": 500}})
    fails["match"]["runtime_fraction"] = half
    fine = route({"direct_response": {"status": 200}})
    return listener(name, connection_manager(name, [], [fails, fine]), where=where)


def stat(what, rule, subset="v2"):
    return f"wasmcustom.rule=.={rule};.;subset=.={subset};.;canary_{what}"


def test_a_canary_that_fails_half_leaves_within_ten_seconds_and_an_outage_of_both_trips_nothing(tmp_path, certificate):
    """Twenty rules whose v2 fails, and twenty both of whose versions fail, each with 200 requests a second. On one Envoy: what the
    others tell differently would show in the endings below."""
    version = newest()
    sockets = {name: tmp_path / name for name in ("good", "bad")}
    apps = [echo_listener("good", sockets["good"]), half_failing("bad", sockets["bad"])]
    clusters = [cluster(*each) for each in sockets.items()]
    alone = [f"alone-{run}" for run in range(RUNS)]
    both = [f"both-{run}" for run in range(RUNS)]
    plugin = Plugin("istio-system.guard", tmp_path)
    plugin.write({"rules": [guarded(name, f"{name}.example.com") for name in alone + both]})
    of_both = header_match(":authority", prefix="both-")
    routes = [
        route("bad", headers=[of_both]),
        route("bad", headers=[header_match(HEADER, exact="v2")]),
        route("good"),
    ]
    manager = connection_manager("http", [plugin.filter()], routes)
    with Envoy(version, bootstrap([listener("http", manager, certificate), *apps], clusters), concurrency=2) as envoy:
        connections = [Connection(envoy.port("http")) for _ in range(8)]
        started = time.monotonic()
        user = 0
        tripped = {}
        for turn in range(SECONDS * TURNS):
            requests = []
            for name in alone + both:
                for _ in range(RATE // TURNS):
                    user += 1
                    requests.append(request_bytes(host=f"{name}.example.com", headers=[("x-user", f"u{user}")]))
            ask_all(connections, requests)
            if turn % TURNS == TURNS - 1:
                gauges = envoy.stats("wasmcustom.rule=")
                now = time.monotonic() - started
                trips = [name for name in alone + both if gauges.get(stat("tripped", name))]
                tripped |= {name: now for name in trips if name not in tripped}
            # At the pace of real visitors, where the machine is faster than they are.
            time.sleep(max(0.0, started + (turn + 1) / TURNS - time.monotonic()))
        for connection in connections:
            connection.close()
        assert sorted(tripped) == sorted(alone), tripped
        assert max(tripped.values()) <= 10, tripped
        assert min(envoy.stats("wasmcustom.rule=")[stat("failing_visitors_total", name)] for name in both) > 50
        lines = envoy.errors(plugin)
        assert len(lines) == RUNS and all("v2 fails and is removed, v1 gets its share until the rule is edited: " in line and "expected 20 %" in line for line in lines)
        # On every worker, nobody gets there any more.
        weights = envoy.stats("wasmcustom.rule=")
        assert {weights[stat("config_weight", name)] for name in alone} == {0}
        assert {weights[stat("config_weight", name, "v1")] for name in alone} == {100}
        before = {name: weights.get(stat("failures_total", name), 0) for name in alone}
        requests = [
            request_bytes(host=f"{name}.example.com", headers=[("x-user", f"later{user}")])
            for name in alone
            for user in range(50)
        ]
        for _ in range(2):
            with Connection(envoy.port("http")) as one, Connection(envoy.port("http")) as other:
                assert {answer.status for answer in ask_all([one, other], requests)} == {200}
        weights = envoy.stats("wasmcustom.rule=")
        assert {name: weights.get(stat("failures_total", name), 0) for name in alone} == before
        assert not envoy.crashes()


GRPC = [("content-type", "application/grpc"), ("te", "trailers")]


@dataclass
class Ending:
    """How a request may end, and how often that is the version's failure."""

    name: str
    status: int | None
    failures: int
    path: str = "/app"
    headers: list = field(default_factory=list)
    answer: Answer = field(default_factory=Answer)
    code_class: int | None = None


ENDINGS = [
    Ending("200", 200, 0, answer=Answer(200, [], b"x" * 1000)),
    Ending("404", 404, 0, answer=Answer(404)),
    Ending("500", 500, 1, answer=Answer(500)),
    Ending("503 of the application", 503, 1, answer=Answer(503, [], b"busy")),
    Ending("reset before the headers", 503, 1, answer=Answer(fault="reset")),
    Ending("timeout", 504, 1, "/slow", answer=Answer(fault="hang")),
    Ending("nobody listens", 503, 1, "/dead"),
    Ending("no healthy upstream", 503, 1, "/empty"),
    Ending("no such cluster", 503, 1, "/nowhere"),
    Ending("reset in mid-body", None, 1, answer=Answer(200, [], b"x" * 10, fault="cut")),
    Ending("timeout in mid-body", None, 1, "/slow", answer=Answer(200, [], b"x" * 10, fault="stall")),
    Ending("direct response", 503, 0, "/direct"),
    Ending("injected fault", 503, 0, headers=[("x-envoy-fault-abort-request", "503")], path="/fault"),
    Ending("no route", 404, 0, "/none"),
    Ending("gRPC status 14 in the headers", 200, 1, headers=GRPC, answer=Answer(200, [GRPC[0], ("grpc-status", "14")]), code_class=5),
    Ending("gRPC status 5 in the headers", 200, 0, headers=GRPC, answer=Answer(200, [GRPC[0], ("grpc-status", "5")]), code_class=4),
    Ending("gRPC by Envoy itself", 200, 1, "/dead", headers=GRPC, code_class=5),
    Ending(
        "gRPC status 13 in the trailers",
        200,
        1,
        headers=GRPC,
        answer=Answer(200, [GRPC[0]], b"\0\0\0\0\0", trailers=[("grpc-status", "13")]),
        code_class=5,
    ),
    Ending(
        "gRPC status 0 in the trailers",
        200,
        0,
        headers=GRPC,
        answer=Answer(200, [GRPC[0]], b"\0\0\0\0\0", trailers=[("grpc-status", "0")]),
        code_class=2,
    ),
]


def with_trailers():
    """HTTP/1.1 with trailers, which Envoy drops otherwise: gRPC's are HTTP/2's, and the filter sees no difference."""
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    explicit = {"http_protocol_options": {"enable_trailers": True}}
    typed = {"@type": f"type.googleapis.com/{options}", "explicit_http_config": explicit}
    return {"typed_extension_protocol_options": {options: typed}}


@pytest.fixture(scope="module")
def envoy(version, tmp_path_factory, upstream, certificate):
    plugin = Plugin("istio-system.guard", tmp_path_factory.mktemp("plugin"))
    rule = {"name": "t", "split": [{"subset": "v1", "weight": 0}, {"subset": "v2", "weight": 1}], "guard": {}}
    plugin.write({"rules": [rule]})
    abort = {"percentage": {"numerator": 100}, "http_status": 503}
    faulty = {"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault", "abort": abort}
    v2 = {"route": {"cluster": "v2", "timeout": "0s"}}
    routes = [
        route(v2, "/app"),
        route({"direct_response": {"status": 503}}, "/direct"),
        route("dead", "/dead"),
        route("nowhere", "/nowhere"),
        route("empty", "/empty"),
        route({"route": {"cluster": "v2", "timeout": "0.3s"}}, "/slow"),
        route(v2, "/fault", typed_per_filter_config={"envoy.filters.http.fault": faulty}),
    ]
    # Nothing listens on port 1 of loopback.
    clusters = [cluster("dead", 1), cluster("v2", upstream.ports["v2"], **with_trailers())]
    empty = cluster("empty", 1)
    empty["load_assignment"]["endpoints"] = []
    manager = connection_manager("http", [plugin.filter()], routes)
    with Envoy(version, bootstrap([listener("http", manager, certificate)], [*clusters, empty])) as envoy:
        yield envoy


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.name)
def test_a_request_that_ends_badly_is_a_failure_if_it_is_the_versions_fault(envoy, upstream, ending):
    upstream.answer = ending.answer
    classes = [f"wasmcustom.rule=.=t;.;subset=.=v2;.;code_class=.={n}xx;.;canary_responses_total" for n in range(1, 6)]

    def counts():
        stats = envoy.stats("wasmcustom.rule=.=t;.")
        failures = [stats.get(stat(what, "t"), 0) for what in ("failures_total", "failing_visitors_total")]
        return failures, [stats.get(name, 0) for name in classes]

    (failures, by_class) = counts()
    with Connection(envoy.port("http")) as connection:
        connection.send(request_bytes(path=ending.path, headers=ending.headers))
        if ending.status is None:
            with pytest.raises(Closed):
                connection.response()
        else:
            assert connection.response().status == ending.status
    until(lambda: sum(counts()[1]) > sum(by_class), "the response to be counted")
    # Every request is a visitor of its own here.
    after, after_by_class = counts()
    assert [now - then for now, then in zip(after, failures, strict=True)] == [ending.failures] * 2
    counted = [now - then for now, then in zip(after_by_class, by_class, strict=True)]
    expected = ending.code_class or (ending.status or 200) // 100
    assert counted == [int(n == expected) for n in range(1, 6)]
    assert not envoy.crashes()


def test_a_canary_without_healthy_pods_leaves_and_visitors_are_served_by_stable(version, tmp_path, upstream, certificate):
    plugin = Plugin("istio-system.guard", tmp_path)
    plugin.write({"rules": [guarded("shop", "canary.example.com")]})
    empty = cluster("v2", 1)
    empty["load_assignment"]["endpoints"] = []
    routes = [route("v2", headers=[header_match(HEADER, exact="v2")]), route("v1")]
    manager = connection_manager("http", [plugin.filter()], routes)
    clusters = [empty, cluster("v1", upstream.ports["v1"])]
    upstream.answer = Answer()
    with Envoy(version, bootstrap([listener("http", manager, certificate)], clusters), concurrency=2) as envoy:
        connections = itertools.cycle([Connection(envoy.port("http")) for _ in range(4)])

        def status(user):
            return next(connections).request(headers=[("x-user", f"u{user}")]).status

        def visit_until_tripped():
            nonlocal user
            user += 20
            assert {status(user + n) for n in range(20)} <= {200, 503}
            return envoy.stat(stat("tripped", "shop"))

        user = 0
        until(visit_until_tripped, envoy.explain("the trip"), 10)
        # The worker that has not found it itself knows at its next tick.
        until(lambda: {status(user) for user in range(200)} == {200}, envoy.explain("nobody on v2"), 5)
        [line] = envoy.errors(plugin)
        assert line.startswith("rule shop: v2 fails and is removed, ")


def test_two_gateways_agree_on_the_weights_of_every_second(tmp_path, certificate):
    """A ramp of one percent a second; both are asked about the same visitors. On one Envoy: nothing in it is Envoy's but the clock."""
    version = newest()
    start = int(time.time()) + 3
    ends = [{"after": f"{seconds}s", "weights": {"v1": 100 - share, "v2": share}} for seconds, share in ((0, 0), (100, 100))]
    iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start))
    ramp = {"start": iso, "between": "linear", "steps": ends}
    config = {"rules": [split_rule(100, 0, sticky={"cookie": {}}, ramp=ramp)]}
    envoys = []
    visitors = [(n * 0x9E3779B1) % 2**32 for n in range(400)]
    made = f"{start // 60:07x}"
    requests = [request_bytes(headers=[("cookie", f"canary-httpbin=1.{draw:08x}.{made}")]) for draw in visitors]
    sockets = {name: tmp_path / name for name in ("v1", "v2")}
    try:
        for number in range(2):
            plugin = Plugin("istio-system.ramp", tmp_path / str(number))
            (tmp_path / str(number)).mkdir()
            plugin.write(config)
            routes = [route("v2", headers=[header_match(HEADER, exact="v2")]), route("v1")]
            manager = connection_manager("http", [plugin.filter()], routes)
            apps = [echo_listener(name, tmp_path / str(number) / name) for name in sockets]
            clusters = [cluster(name, tmp_path / str(number) / name) for name in sockets]
            envoy = Envoy(version, bootstrap([listener("http", manager, certificate), *apps], clusters), concurrency=2)
            envoys.append(envoy.start())
        connections = [[Connection(envoy.port("http")) for _ in range(4)] for envoy in envoys]
        agreed = {}

        def look():
            second = int(time.time())
            seen = [
                tuple(answer.value("x-served-by") == "v2" for answer in ask_all(of_one, requests)) for of_one in connections
            ]
            gauges = [envoy.stat(stat("config_weight", "httpbin")) for envoy in envoys]
            if int(time.time()) == second and start <= second:
                assert seen[0] == seen[1], second - start
                agreed[second - start] = seen[0], gauges
            return len(agreed) >= 8

        until(look, lambda: f"eight seconds in which all were asked: {sorted(agreed)}", 60)
        before = None
        for second, (seen, gauges) in sorted(agreed.items()):
            # Draws lie evenly; the salted positions do nearly.
            assert abs(sum(seen) - len(seen) * second / 100) <= 12, second
            assert before is None or all(now or not then for now, then in zip(seen, before, strict=True)), "nobody goes back"
            # A gauge follows at the next tick.
            assert all(second - 1 <= gauge <= second for gauge in gauges), (second, gauges)
            before = seen
    finally:
        for envoy in envoys:
            envoy.stop()

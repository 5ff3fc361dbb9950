"""Many visitors: who stays, how many go where, and that a change of weights disturbs nobody."""

import contextlib

import pytest
from chance import within_5_sigma
from client import Connection, ask_all, request_bytes
from configs import split_rule
from cookies import visitors
from gateway import Envoy, Plugin, bootstrap, connection_manager, echo_apps, listener, subset_routes, until
from load import InForce, Load, misrouted

VISITORS = 200
ROUNDS = 20


def split(v1, v2, **more):
    return {"rules": [split_rule(v1, v2, **more)]}


def sticky(v1, v2):
    return split(v1, v2, sticky={"cookie": {}})


@pytest.fixture(scope="module")
def gateway(version, tmp_path_factory, certificate):
    """Two workers; the applications are listeners of the same Envoy."""
    directory = tmp_path_factory.mktemp("plugin")
    plugins = [Plugin(f"istio-system.{name}", directory, root_id=name) for name in ("sticky", "fresh")]
    for plugin in plugins:
        plugin.write(sticky(80, 20))
    listeners = [
        listener(plugin.root_id, connection_manager(plugin.root_id, [plugin.filter()], subset_routes()), certificate)
        for plugin in plugins
    ]
    apps, clusters = echo_apps(directory)
    with Envoy(version, bootstrap([*listeners, *apps], clusters), concurrency=2) as envoy:
        yield envoy, *plugins


def subset(response):
    """Where the request went: both the route and the header say so."""
    assert misrouted(response) is None, response
    return response.value("x-served-by")


@pytest.fixture
def connections(gateway):
    envoy, plugin, _ = gateway
    open_ones = [Connection(envoy.port(plugin.root_id)) for _ in range(8)]
    yield open_ones
    for connection in open_ones:
        connection.close()


def test_a_visitor_stays(gateway, connections):
    envoy, plugin, _ = gateway
    plugin.update(envoy, sticky(80, 20))
    first = ask_all(connections, [request_bytes()] * VISITORS)
    homes = [subset(response) for response in first]
    jars = [("cookie", f"canary-httpbin={response.cookies()['canary-httpbin']}") for response in first]
    assert within_5_sigma(homes.count("v2"), VISITORS, 0.2)
    changes = 0
    for round in range(ROUNDS):
        # Another connection each time, and so another worker.
        at = range(round, round + VISITORS)
        again = ask_all(connections, [request_bytes(headers=[jars[visitor % VISITORS]]) for visitor in at])
        changes += sum(subset(response) != homes[visitor % VISITORS] for visitor, response in zip(at, again))
        assert not any(response.values("set-cookie") for response in again)
    assert changes == 0
    assert used_workers(envoy, plugin) == 2


def used_workers(envoy, plugin):
    stats = envoy.stats(f"listener.{plugin.root_id}.worker_")
    return sum(value > 0 for name, value in stats.items() if name.endswith(".downstream_cx_total"))


@pytest.mark.parametrize("v1, v2", [(80, 20), (50, 50), (99, 1), (0, 1), (1, 0)])
def test_a_thousand_requests_share_as_the_weights_say(gateway, v1, v2):
    envoy, _, plugin = gateway
    plugin.update(envoy, split(v1, v2))
    with Connection(envoy.port(plugin.root_id)) as connection:
        served = [subset(response) for response in ask_all([connection], [request_bytes()] * 1000)]
    assert within_5_sigma(served.count("v2"), 1000, v2 / (v1 + v2)), served.count("v2")


def test_a_change_of_weights_under_load_fails_no_request(gateway):
    envoy, plugin, _ = gateway
    plugin.update(envoy, sticky(80, 20))

    def batch(_thread):
        return [(request_bytes(), lambda response, _: misrouted(response))]

    # One connection each; Envoy gives each worker one.
    loads = [Load(envoy.port(plugin.root_id), InForce(None), batch, threads=1) for _ in range(2)]
    with contextlib.ExitStack() as stack:
        for load in loads:
            stack.enter_context(load)
        for weights in ((50, 50), (0, 100), (100, 0), (80, 20)) * 3:
            before = [load.requests for load in loads]
            # Each change comes while requests are on their way, and requests see each of them.
            until(lambda: all(load.faults or load.requests > was + 20 for load, was in zip(loads, before)), "requests")
            plugin.update(envoy, sticky(*weights))
    assert [load.faults for load in loads] == [[], []]
    assert sum(load.requests for load in loads) > 400


def test_who_moves(gateway, connections):
    """80/20 to 50/50: only from v1 to v2, as many as it takes; and back again the same."""
    envoy, plugin, _ = gateway
    requests = [request_bytes(headers=[cookie]) for cookie in visitors(1000)]
    homes = {}
    for weights in ((80, 20), (50, 50), (80, 20)):
        plugin.update(envoy, sticky(*weights))
        served = [subset(response) for response in ask_all(connections, requests)]
        homes.setdefault(weights, []).append(served)
        assert within_5_sigma(served.count("v2"), 1000, weights[1] / 100)
    (narrow, again), (wide,) = homes[80, 20], homes[50, 50]
    assert narrow == again
    moves = [(old, new) for old, new in zip(narrow, wide) if old != new]
    assert set(moves) == {("v1", "v2")}
    assert len(moves) == wide.count("v2") - narrow.count("v2")

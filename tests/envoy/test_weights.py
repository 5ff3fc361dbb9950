"""What `canary-split check` warns of as `weighted-route`: weights in a VirtualService next to those of the filter."""

import pytest
from chance import within_5_sigma
from client import Connection, ask_all, request_bytes
from configs import split_rule
from gateway import HEADER, Envoy, Plugin, bootstrap, connection_manager, echo_apps, header_match, listener, route

VISITORS = 2000
TURNS = 5


def weighted(**weights):
    """The action of a route with these weights; Istio leaves those of 0 out."""
    clusters = [{"name": name, "weight": weight} for name, weight in weights.items() if weight]
    return {"route": {"weighted_clusters": {"clusters": clusters}, "timeout": "0s"}}


def routes(**weights):
    return [route("v2", headers=[header_match(HEADER, exact="v2")]), route(weighted(**weights))]


@pytest.fixture(scope="module")
def gateway(version, tmp_path_factory, certificate):
    """80 to 20 in the filter; in the route without the header the same once more, or 100 to 0."""
    directory = tmp_path_factory.mktemp("weights")
    plugin = Plugin("istio-system.weights", directory)
    plugin.write({"rules": [split_rule(80, 20, sticky={"cookie": {}})]})
    tables = {"left": routes(v1=80, v2=20), "gone": routes(v1=100, v2=0)}
    managers = {name: connection_manager(name, [plugin.filter()], table) for name, table in tables.items()}
    apps, clusters = echo_apps(directory)
    listeners = [listener(name, manager, certificate) for name, manager in managers.items()]
    with Envoy(version, bootstrap([*listeners, *apps], clusters), concurrency=2) as envoy:
        yield envoy


def visits(envoy, name):
    """What each visitor has seen, turn by turn, with the cookie of the first answer."""
    connections = [Connection(envoy.port(name)) for _ in range(8)]
    for connection in connections:
        connection.open()
    first = ask_all(connections, [request_bytes()] * VISITORS)
    jars = [[("cookie", f"canary-httpbin={answer.cookies()['canary-httpbin']}")] for answer in first]
    later = [ask_all(connections, [request_bytes(headers=jar) for jar in jars]) for _ in range(TURNS - 1)]
    for connection in connections:
        connection.close()
    assert {answer.status for turn in [first, *later] for answer in turn} == {200}
    return list(zip(*([answer.value("x-served-by") for answer in turn] for turn in [first, *later]), strict=True))


def counted(seen):
    """How many saw v2 first, and how many saw both versions."""
    return sum(visit[0] == "v2" for visit in seen), sum(len(set(visit)) == 2 for visit in seen)


def test_trial_1_weights_that_are_left_spoil_the_share_and_the_stickiness(gateway):
    first, both = counted(visits(gateway, "left"))
    # v2 gets its 20 % and 20 % of the rest; of the rest most visitors see it once in a while.
    assert within_5_sigma(first, VISITORS, 0.2 + 0.8 * 0.2)
    assert within_5_sigma(both, VISITORS, 0.8 * (1 - 0.8**TURNS - 0.2**TURNS))
    assert both > VISITORS / 2


def test_trial_1_with_weights_of_100_and_0_the_share_is_exact_and_nobody_moves(gateway):
    first, both = counted(visits(gateway, "gone"))
    assert within_5_sigma(first, VISITORS, 0.2)
    assert both == 0

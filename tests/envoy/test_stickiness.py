"""Two gateways of two workers each: a visitor is the same one on all of them."""

import pytest
from client import Connection, ask_all, request_bytes
from configs import split_rule
from gateway import Envoy, Plugin, bootstrap, connection_manager, echo_apps, listener, subset_routes

JARS = 1000


def split(**sticky):
    return {"rules": [split_rule(50, 50, sticky=sticky)]}


@pytest.fixture(scope="module")
def gateways(version, tmp_path_factory, certificate):
    """Two Envoys; each has a directory of its own, and so nothing in common with the other but the config."""

    def start(name):
        directory = tmp_path_factory.mktemp(name)
        plugin = Plugin("istio-system.sticky", directory)
        plugin.write(split(cookie={}))
        manager = connection_manager("sticky", [plugin.filter()], subset_routes(), xff_num_trusted_hops=1)
        apps, clusters = echo_apps(directory)
        config = bootstrap([listener("sticky", manager, certificate), *apps], clusters)
        return Envoy(version, config, concurrency=2), plugin

    with (one := start("one"))[0], (other := start("other"))[0]:
        yield one, other


@pytest.fixture
def connections(gateways):
    """Four to each gateway, which balances them over its workers."""
    opened = [Connection(envoy.port("sticky")) for envoy, _ in gateways for _ in range(4)]
    for connection in opened:
        connection.open()
    yield opened
    for connection in opened:
        connection.close()


def subsets(responses):
    assert {response.status for response in responses} == {200}
    return [response.value("x-served-by") for response in responses]


def put(gateways, config):
    for envoy, plugin in gateways:
        plugin.update(envoy, config)


@pytest.mark.parametrize("more", [{}, {"onWeightChange": "keep"}], ids=["rebalance", "keep"])
def test_a_thousand_jars_change_no_subset_over_two_gateways(gateways, connections, more):
    put(gateways, split(cookie={}, **more))
    first = ask_all(connections, [request_bytes()] * JARS)
    homes = subsets(first)
    assert 400 < homes.count("v2") < 600
    jars = [[("cookie", f"canary-httpbin={response.cookies()['canary-httpbin']}")] for response in first]
    for turn in (1, 3, 4, 6):
        # Each visitor over another connection than before, and so by the other gateway or worker.
        moved = jars[turn:] + jars[:turn]
        again = ask_all(connections, [request_bytes(headers=jar) for jar in moved])
        assert subsets(again) == homes[turn:] + homes[:turn]
        assert not any(response.values("set-cookie") for response in again)


def test_fifty_parallel_first_requests_agree_under_draw_client(gateways, connections):
    put(gateways, split(cookie={"draw": "client"}))
    homes = set()
    for client in range(1, 21):
        headers = [("x-forwarded-for", f"203.0.113.{client}"), ("user-agent", "a browser")]
        first = ask_all(connections, [request_bytes(headers=headers)] * 50)
        assert len(set(subsets(first))) == 1
        draws = {response.cookies()["canary-httpbin"].split(".")[1] for response in first}
        assert len(draws) == 1
        homes |= set(subsets(first))
    assert homes == {"v1", "v2"}


@pytest.mark.parametrize("key", ["a" * 58000, "\xff" * 20000, "%ff" * 15000])
def test_a_key_of_any_size_and_bytes_is_one_user_everywhere(gateways, connections, key):
    put(gateways, split(keys=[{"header": "x-user"}, {"queryParam": "uid"}]))
    by_header = ask_all(connections, [request_bytes(headers=[("x-user", key)])] * 8)
    assert len(set(subsets(by_header))) == 1
    if key.isascii() and "%" not in key:
        by_query = ask_all(connections, [request_bytes(path=f"/?uid={key}")] * 8)
        assert set(subsets(by_query)) == set(subsets(by_header))
    assert not any(response.values("set-cookie") for response in by_header)


def test_a_spoofed_address_is_no_key(gateways, connections):
    """The gateway appends who it is connected to; only the hop that it trusts counts."""
    put(gateways, split(keys=[{"remoteIp": True}]))
    seen = set()
    for number in range(1, 31):
        headers = [("x-forwarded-for", f"203.0.113.{number}, 198.51.100.7"), ("x-real-ip", f"203.0.113.{number}")]
        seen |= set(subsets(ask_all(connections[:1], [request_bytes(headers=headers)])))
    assert len(seen) == 1

"""The filter between the listeners, routes and clusters that Istio itself makes of the overlays."""

import contextlib
import functools
from types import SimpleNamespace

import pytest
from chance import within_5_sigma
from client import Connection
from gateway import Envoy, bootstrap
from generated import GATEWAY_API, ISTIO, WAYPOINT, Generated, overlays

REQUESTS = 400
# The share of visitors without special headers who see v2.
SHARES = {"prepared": 0, "weighted": 0.2, "sticky": 0.2, "rollout": 0, "testers": 0, "sealed": 0.2, "adopted": 0.2, "trafficextension": 0.2}
FAMILIES = {ISTIO: "istio", GATEWAY_API: "gateway-api"}


def everywhere(*names):
    """These overlays, or all, in each family that has them."""
    pairs = [(family, name) for family in FAMILIES for name in overlays(family) if not names or name in names]
    assert {name for _, name in pairs} >= set(names)
    return pytest.mark.parametrize("overlay", pairs, ids=[f"{FAMILIES[family]}-{name}" for family, name in pairs], indirect=True)


@pytest.fixture(scope="module")
def start(version, tmp_path_factory, certificate):
    """Starts an Envoy with what Istio makes of an overlay, once."""
    with contextlib.ExitStack() as running:

        @functools.cache
        def start(family, first):
            generated = Generated(tmp_path_factory.mktemp("generated"), certificate, family, first)
            return running.enter_context(Envoy(version, bootstrap(generated.listeners, generated.clusters), concurrency=2)), generated

        yield start


@pytest.fixture
def overlay(request, start):
    family, name = request.param
    # To Envoy another kind of plugin is another filter.
    envoy, generated = start(family, name if name == "trafficextension" else "prepared")
    generated.apply(envoy, name)
    return SimpleNamespace(name=name, ports=[envoy.port(each) for each in generated.names])


def served(overlay, headers=(), requests=REQUESTS):
    """What the last port answers: where there are two, that is https."""
    with Connection(overlay.ports[-1], tls=len(overlay.ports) > 1) as connection:
        for _ in range(requests):
            response = connection.request(headers=headers)
            assert response.status == 200, response
            yield response


def count(overlay, headers=(), requests=REQUESTS):
    return sum(response.value("x-served-by") == "v2" for response in served(overlay, headers, requests))


def as_weighed(v2, overlay):
    return within_5_sigma(v2, REQUESTS, SHARES[overlay.name])


@everywhere()
def test_the_split_is_what_the_overlay_says(overlay):
    assert as_weighed(count(overlay), overlay)


@everywhere()
def test_a_clients_own_header_is_worth_nothing(overlay):
    assert as_weighed(count(overlay, [("x-canary-subset", "v2")]), overlay)


@everywhere()
def test_the_application_sees_the_subset_unless_it_is_sealed(overlay):
    for response in served(overlay, requests=40):
        # Where somebody else decides the filter knows no subset.
        seen = None if overlay.name in ("sealed", "adopted") else response.value("x-served-by")
        assert response.value("x-seen") == seen


@everywhere()
def test_http_is_redirected(overlay):
    with Connection(overlay.ports[0]) as connection:
        response = connection.request(path="/a?b")
    assert (response.status, response.value("location")) == (301, "https://canary.example.com/a?b")
    assert not response.values("set-cookie")


@everywhere("testers")
def test_testers_see_v2(overlay):
    assert count(overlay, [("x-canary-key", "replace-me-3fb1c2d4e5f60718")], 40) == 40
    assert count(overlay, [("x-canary-key", "replace-me")], 40) == 0


@everywhere("sticky", "sealed", "adopted", "trafficextension")
def test_a_visitor_stays(overlay):
    for home in list(served(overlay, requests=30)):
        jar = [("cookie", f"canary-httpbin={home.cookies()['canary-httpbin']}")]
        assert {again.value("x-served-by") for again in served(overlay, jar, 3)} == {home.value("x-served-by")}


def test_a_waypoint_divides_users_by_their_id_whatever_host_a_caller_names(start):
    envoy, generated = start(WAYPOINT, "httpbin")
    with Connection(envoy.port(*generated.names)) as connection:

        def home(user, host):
            response = connection.request(host=host, headers=[("x-user-id", str(user)), ("x-canary-subset", "v2")])
            assert response.value("x-seen") == response.value("x-served-by") and not response.values("set-cookie")
            return response.value("x-served-by")

        homes = [home(user, "httpbin:8000") for user in range(REQUESTS)]
        assert within_5_sigma(homes.count("v2"), REQUESTS, 0.2)
        for host in ("httpbin", "httpbin.canary.svc.cluster.local:8000"):
            assert [home(user, host) for user in range(40)] == homes[:40]

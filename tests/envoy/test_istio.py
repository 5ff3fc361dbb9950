"""The filter between the listeners, routes and clusters that Istio itself makes of the overlays."""

import contextlib
import functools
from types import SimpleNamespace

import pytest
from chance import within_5_sigma
from client import Connection
from gateway import Envoy, bootstrap
from generated import GATEWAY_API, ISTIO, Generated, overlays

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
    return SimpleNamespace(name=name, http=lambda: envoy.port(generated.http), https=lambda: envoy.port(generated.https))


def served(overlay, headers=(), requests=REQUESTS):
    with Connection(overlay.https(), tls=True) as connection:
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
    with Connection(overlay.http()) as connection:
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

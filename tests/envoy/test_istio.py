"""The filter between the listeners, routes and clusters that Istio itself makes of the overlays."""

import pytest
from chance import within_5_sigma
from client import Connection
from gateway import Envoy, bootstrap
from generated import HTTP, HTTPS, OVERLAYS, Generated

REQUESTS = 400
# The share of visitors without special headers who see v2.
SHARES = {"prepared": 0, "weighted": 0.2, "sticky": 0.2, "rollout": 0, "testers": 0, "sealed": 0.2, "adopted": 0.2}


@pytest.fixture(scope="module")
def gateway(version, tmp_path_factory, certificate):
    generated = Generated(tmp_path_factory.mktemp("generated"), certificate)
    with Envoy(version, bootstrap(generated.listeners, generated.clusters), concurrency=2) as envoy:
        yield envoy, generated


@pytest.fixture(params=OVERLAYS)
def overlay(request, gateway):
    envoy, generated = gateway
    generated.apply(envoy, request.param)
    return request.param


def served(envoy, headers=(), requests=REQUESTS):
    with Connection(envoy.port(HTTPS), tls=True) as connection:
        for _ in range(requests):
            response = connection.request(headers=headers)
            assert response.status == 200, response
            yield response


def count(envoy, headers=(), requests=REQUESTS):
    return sum(response.value("x-served-by") == "v2" for response in served(envoy, headers, requests))


def as_weighed(v2, overlay):
    return within_5_sigma(v2, REQUESTS, SHARES[overlay])


def test_the_split_is_what_the_overlay_says(gateway, overlay):
    assert as_weighed(count(gateway[0]), overlay)


def test_a_clients_own_header_is_worth_nothing(gateway, overlay):
    assert as_weighed(count(gateway[0], [("x-canary-subset", "v2")]), overlay)


def test_the_application_sees_the_subset_unless_it_is_sealed(gateway, overlay):
    for response in served(gateway[0], requests=40):
        # Where somebody else decides the filter knows no subset.
        seen = None if overlay in ("sealed", "adopted") else response.value("x-served-by")
        assert response.value("x-seen") == seen


def test_http_is_redirected(gateway, overlay):
    with Connection(gateway[0].port(HTTP)) as connection:
        response = connection.request(path="/a?b")
    assert (response.status, response.value("location")) == (301, "https://canary.example.com/a?b")
    assert not response.values("set-cookie")


def test_testers_see_v2(gateway):
    envoy, generated = gateway
    generated.apply(envoy, "testers")
    assert count(envoy, [("x-canary-key", "replace-me-3fb1c2d4e5f60718")], 40) == 40
    assert count(envoy, [("x-canary-key", "replace-me")], 40) == 0


@pytest.mark.parametrize("name", ["sticky", "sealed", "adopted"])
def test_a_visitor_stays(gateway, name):
    envoy, generated = gateway
    generated.apply(envoy, name)
    for home in list(served(envoy, requests=30)):
        jar = [("cookie", f"canary-httpbin={home.cookies()['canary-httpbin']}")]
        assert {again.value("x-served-by") for again in served(envoy, jar, 3)} == {home.value("x-served-by")}

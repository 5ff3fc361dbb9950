"""The filter as Envoy Gateway writes it: off in the chain, with its config in the listener, and on for some routes."""

import json

import metrics
import pytest
from chance import within_5_sigma
from client import Connection
from configs import split_rule
from cookies import visitors
from gateway import (
    HEADER,
    Envoy,
    Plugin,
    bootstrap,
    connection_manager,
    echo_apps,
    header_match,
    listener,
    route,
    token,
    verified_tokens,
)

POLICY = "envoyextensionpolicy/canary/canary-split/wasm/0"
TESTERS = {"name": "testers", "match": [{"claims": {"group": {"exact": "beta"}}}], "subset": "v2"}
ON = {"typed_per_filter_config": {POLICY: {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}}}


@pytest.fixture(scope="module")
def gateway(version, tmp_path_factory):
    """On for every path but `/other`."""
    directory = tmp_path_factory.mktemp("enabled")
    config = {"rules": [TESTERS, split_rule(80, 20, sticky={"cookie": {}})]}
    typed = Plugin("canary-split", directory).typed_config(json.dumps(config), vm_id=POLICY)
    v2 = [header_match(HEADER, exact="v2")]
    routes = [route("v2", "/other", v2), route("v1", "/other"), route("v2", headers=v2, **ON), route("v1", **ON)]
    filters = [verified_tokens(), {"name": POLICY, "disabled": True, "typed_config": typed}]
    apps, clusters = echo_apps(directory)
    manager = connection_manager("enabled", filters, routes)
    with Envoy(version, bootstrap([listener("enabled", manager), *apps], clusters), concurrency=2) as envoy:
        yield envoy


def test_where_it_is_on_it_decides_and_elsewhere_it_is_not_asked(gateway):
    with Connection(gateway.port("enabled")) as connection:
        served = [connection.request(headers=[cookie, (HEADER, "v2")]).value("x-served-by") for cookie in visitors(400)]
        assert within_5_sigma(served.count("v2"), len(served), 0.2)
        before = metrics.counted(gateway)
        assert connection.request(path="/other", headers=[(HEADER, "v2")]).value("x-served-by") == "v2"
        assert metrics.counted(gateway) == before


@pytest.mark.parametrize("claims", [{"group": "beta"}, {"group": "beta", "nickname": None}, {"group": ["alpha", "beta"]}])
def test_claims_are_under_the_name_of_the_provider(gateway, claims):
    visitor = [visitors(1)[0], ("authorization", f"Bearer {token(claims, 'keycloak')}")]
    with Connection(gateway.port("enabled")) as connection:
        assert connection.request(headers=visitor[:1]).value("x-served-by") == "v1"
        assert connection.request(headers=visitor).value("x-served-by") == "v2"

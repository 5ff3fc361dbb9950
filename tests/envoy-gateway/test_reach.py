"""Which requests the filter sees: those of the routes that the policy is attached to. On others a client's own header passes."""

import metrics
import pytest
from client import Connection
from cookies import visitors
from gateway import until
from here import EXTENSION, changed, one

HTTPS = 443
SEAL = "a-seal-of-the-tests"
COOKIE = visitors(1)[0]


def route(path, value):
    """Another route of the host: what says this in the header goes to v2."""
    v1, v2 = ([{"group": EXTENSION, "kind": "Backend", "name": f"httpbin-{version}"}] for version in ("v1", "v2"))
    match = {"path": {"type": "PathPrefix", "value": path}}
    header = {"headers": [{"name": "x-canary-subset", "value": value}]}
    rules = [{"matches": [match | header], "backendRefs": v2}, {"matches": [match], "backendRefs": v1}]
    spec = {"parentRefs": [{"name": "httpbin", "sectionName": "https"}], "hostnames": ["canary.example.com"], "rules": rules}
    return gateway_api("HTTPRoute", path.strip("/"), spec)


def gateway_api(kind, name, spec):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": {"name": name, "namespace": "canary"}, "spec": spec}


def extension(kind, name, spec):
    return gateway_api(kind, name, spec) | {"apiVersion": f"{EXTENSION}/v1alpha1"}


def target(route):
    return [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route}]


def believed(envoy, path, value="v2"):
    """Whether the header that a visitor of v1 sends decides; if so, the filter has not seen the request."""
    before = metrics.counted(envoy)
    with Connection(HTTPS, tls=True) as connection:
        response = connection.request(path=path, headers=[COOKIE, ("x-canary-subset", value)])
    assert response.status == 200, response
    passes = response.value("x-served-by") == "v2"
    assert metrics.counted(envoy) == before if passes else metrics.counted(envoy) > before
    return passes


def test_on_the_listener_the_policy_covers_every_route(start, shipped):
    cors = {"targetRefs": target("httpbin"), "cors": {"allowOrigins": ["https://shop.example.com"], "allowMethods": ["PUT"]}}
    envoy = start([*shipped, route("/other", "v2"), extension("SecurityPolicy", "cors", cors)])
    assert not believed(envoy, "/") and not believed(envoy, "/other")
    # What Envoy answers itself reaches neither the filter nor an application.
    before = metrics.counted(envoy)
    preflight = [("origin", "https://shop.example.com"), ("access-control-request-method", "PUT")]
    with Connection(HTTPS, tls=True) as connection:
        response = connection.request("OPTIONS", headers=[*preflight, ("x-canary-subset", "v2")])
        assert (response.status, response.value("access-control-allow-origin")) == (200, "https://shop.example.com")
        assert response.value("x-served-by") is None
        assert connection.request(host="nowhere.example.com").status == 404
    assert metrics.counted(envoy) == before


def test_on_a_route_the_policy_covers_that_route_and_a_seal_closes_the_others(start, shipped):
    def change(objects):
        spec = one(objects, "EnvoyExtensionPolicy")["spec"]
        spec["targetRefs"] = target("httpbin")
        spec["wasm"][0]["config"]["seal"] = SEAL
        canary = one(objects, "HTTPRoute", "httpbin")["spec"]["rules"][0]
        canary["matches"][0]["headers"][0]["value"] = f"v2.{SEAL}"
        canary["filters"] = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-canary-subset"]}}]

    envoy = start([*changed(shipped, change), route("/other", "v2"), route("/sealed", f"v2.{SEAL}")])
    assert not believed(envoy, "/")
    assert believed(envoy, "/other")
    with Connection(HTTPS, tls=True) as connection:
        response = connection.request(path="/sealed", headers=[("x-canary-subset", "v2")])
        assert response.value("x-served-by") == "v1"
        served = [connection.request(headers=[cookie]) for cookie in visitors(40)]
    assert {(each.value("x-served-by"), each.value("x-seen")) for each in served} == {("v1", f"v1.{SEAL}"), ("v2", None)}


def test_a_policy_of_a_route_takes_the_place_of_the_listeners_unless_it_is_merged(start, shipped):
    own = {"targetRefs": target("other"), "lua": [{"type": "Inline", "inline": "function envoy_on_request(handle) end"}]}
    objects = [*shipped, route("/other", "v2")]
    envoy = start([*objects, extension("EnvoyExtensionPolicy", "own", own)])
    assert believed(envoy, "/other")
    envoy.apply([*objects, extension("EnvoyExtensionPolicy", "own", own | {"mergeType": "StrategicMerge"})])
    until(lambda: not believed(envoy, "/other"), envoy.explain("the merged policy"))


@pytest.mark.parametrize("fail_open", [True, False])
def test_without_the_module_everything_goes_to_stable_or_nothing_goes(start, shipped, fail_open):
    def change(objects):
        (wasm,) = one(objects, "EnvoyExtensionPolicy")["spec"]["wasm"]
        wasm["failOpen"] = fail_open
        registry, _ = wasm["code"]["image"]["url"].split("@")
        wasm["code"]["image"]["url"] = f"{registry}@sha256:{64 * '0'}"

    start(changed(shipped, change))
    with Connection(HTTPS, tls=True) as connection:
        answers = [connection.request(headers=headers) for headers in ([], [("x-canary-subset", "v2")])]
    served = [(each.status, each.value("x-served-by")) for each in answers]
    assert served == ([(200, "v1"), (200, "v2")] if fail_open else [(500, None), (500, None)])

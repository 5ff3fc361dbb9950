"""Claims of verified tokens: Envoy Gateway has them under the name of the provider that verified the token."""

import json

import pytest
from client import Connection
from gateway import TOKEN_KEY, base64url, token
from here import EXTENSION, changed, one

HTTPS = 443
PROVIDERS = ["keycloak", "partner"]
RULES = [
    {"name": "testers", "match": [{"claims": {"group": {"exact": "beta"}, "realm.role": {}}}], "subset": "v2"},
    {
        "name": "httpbin",
        "split": [{"subset": "v1", "weight": 50}, {"subset": "v2", "weight": 50}],
        "sticky": {"keys": [{"claim": "sub"}]},
    },
]


@pytest.fixture(scope="module")
def claims(shipped):
    """The manifests with those rules, and a policy that verifies tokens of two providers where there is one."""
    keys = json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "k": base64url(TOKEN_KEY)}]})
    providers = [{"name": name, "issuer": name, "localJWKS": {"type": "Inline", "inline": keys}} for name in PROVIDERS]
    route = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "httpbin"}
    verified = {
        "apiVersion": f"{EXTENSION}/v1alpha1",
        "kind": "SecurityPolicy",
        "metadata": {"name": "tokens", "namespace": "canary"},
        "spec": {"targetRefs": [route], "jwt": {"optional": True, "providers": providers}},
    }

    def change(objects):
        one(objects, "EnvoyExtensionPolicy")["spec"]["wasm"][0]["config"]["rules"] = RULES

    return [*changed(shipped, change), verified]


def test_claims_match_and_keys_stick_whichever_provider_has_verified_the_token(start, claims):
    start(claims)
    with Connection(HTTPS, tls=True) as connection:

        def served(claims, issuer):
            response = connection.request(headers=[("authorization", f"Bearer {token(claims, issuer)}")])
            assert response.status == 200, response
            return response.value("x-served-by")

        users = [f"user-{number}" for number in range(60)]
        homes = {user: served({"sub": user}, PROVIDERS[0]) for user in users}
        assert set(homes.values()) == {"v1", "v2"}
        for provider in PROVIDERS:
            assert served({"group": ["alpha", "beta"], "realm": {"role": "tester"}}, provider) == "v2"
            # A claim that is null is no reason to look away.
            assert {user: served({"sub": user, "nickname": None, "group": "beta"}, provider) for user in users} == homes
        assert connection.request(headers=[("authorization", "Bearer " + token({"sub": "a"}, PROVIDERS[0])[:-3] + "abc")]).status == 401
        assert {connection.request().value("x-served-by") for _ in range(60)} == {"v1", "v2"}

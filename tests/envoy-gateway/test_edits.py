"""The shipped manifests in service: shares, stickiness, and what an edit of the weights does."""

import random
import re

import metrics
import pytest
from chance import within_5_sigma
from client import Connection, request_bytes
from cookies import visitors
from gateway import until
from here import changed, one
from load import InForce, Load, homes, misrouted

HTTP, HTTPS = 80, 443
REQUESTS = 10_000
# The weights of v2: ten edits.
LEVELS = [20, 50, 100, 50, 5, 20, 50, 20, 5, 50, 20]
COOKIES = visitors(500)
KNOWN = [request_bytes(headers=[cookie]) for cookie in COOKIES]


def weighed(objects, v2):
    """The same with this weight of v2."""

    def change(objects):
        (rule,) = one(objects, "EnvoyExtensionPolicy")["spec"]["wasm"][0]["config"]["rules"]
        rule["split"] = [{"subset": "v1", "weight": 100 - v2}, {"subset": "v2", "weight": v2}]

    return changed(objects, change)


def test_the_share_is_what_the_manifest_says(envoy):
    with Connection(HTTPS, tls=True) as connection:
        served = homes(connection, KNOWN)
    assert within_5_sigma(served.count("v2"), len(KNOWN), 0.2)


def test_a_visitor_stays(envoy):
    first = []
    with Connection(HTTPS, tls=True) as connection:
        for _ in range(500):
            response = connection.request()
            jar = [("cookie", f"{name}={value}") for name, value in response.cookies().items()]
            again = [connection.request(headers=jar) for _ in range(2)]
            assert {each.value("x-served-by") for each in again} == {response.value("x-served-by")}
            assert not any(each.cookies() for each in again)
            first.append(response.value("x-served-by"))
    assert within_5_sigma(first.count("v2"), len(first), 0.2)


def test_a_clients_own_header_is_worth_nothing(envoy):
    with Connection(HTTPS, tls=True) as connection:
        served = [connection.request(headers=[COOKIES[0], ("x-canary-subset", subset)]) for subset in ("v1", "v2")]
    assert len({each.value("x-served-by") for each in served}) == 1


def test_http_is_redirected(envoy):
    with Connection(HTTP) as connection:
        response = connection.request(path="/a?b")
    assert (response.status, response.value("location")) == (301, "https://canary.example.com/a?b")


def test_a_header_with_an_underscore_is_refused(envoy):
    with Connection(HTTPS, tls=True) as connection:
        assert connection.request(headers=[("x_canary_subset", "v2")]).status == 400


def test_prometheus_gets_labels(envoy):
    with Connection(HTTPS, tls=True) as connection:
        assert connection.request().status == 200
    text = envoy.admin("/stats/prometheus?filter=canary_")
    assert re.search(r'^canary_requests_total\{.*rule="httpbin",.*\} [1-9]', text, re.M), text
    assert re.search(r'^canary_config_weight\{.*subset="v2".*\} 20$', text, re.M), text


def test_ten_edits_fail_no_request_and_move_nobody_without_need(envoy, shipped):
    home = {}
    with Connection(HTTPS, tls=True) as connection:
        for level in sorted(set(LEVELS)):
            envoy.update(weighed(shipped, level))
            connection.close()
            home[level] = homes(connection, KNOWN)
    levels = sorted(home)
    # A visitor of v2 at one weight is there at every greater one: only then does "without need" hold.
    for low, high in zip(levels, levels[1:]):
        assert all(after == "v2" for before, after in zip(home[low], home[high]) if before == "v2"), (low, high)
    envoy.update(weighed(shipped, LEVELS[0]))
    in_force = InForce(LEVELS[0])

    def check(visitor):
        def problem(response, levels):
            if wrong := misrouted(response):
                return wrong
            # On a connection that is about to close the weights before are in force for one more request.
            since = len(in_force.pushed) - len(levels)
            allowed = in_force.pushed[max(since - 1, 0) :]
            return None if response.value("x-served-by") in {home[level][visitor] for level in allowed} else "moved"

        return problem

    rng = random.Random(7)

    # One request at a time: what is behind another one on a connection that closes is lost.
    def batch(thread):
        visitor = rng.randrange(len(KNOWN))
        return [(KNOWN[visitor], check(visitor))]

    with Load(HTTPS, in_force, batch, tls=True) as load:
        for number, level in enumerate(LEVELS[1:], 1):
            enough = REQUESTS * number // len(LEVELS)
            until(lambda: load.requests >= enough or load.faults, "requests")
            in_force.push(level, lambda: envoy.update(weighed(shipped, level)))
        until(lambda: load.requests >= REQUESTS or load.faults, "requests")
    assert not load.faults, load.faults[:3]
    assert metrics.faults(envoy) == 0

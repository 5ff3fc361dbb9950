"""What was decided and what arrived, on a real Prometheus: routes that contradict the filter are reported, right ones never."""

import contextlib
import re
import time

import pytest
from client import Connection, request_bytes
from configs import split_rule
from gateway import HEADER, header_match, until
from generated import HTTP, HTTPS, walk
from operated import gateway
from prometheus import RULES, Prometheus

V1, V2 = (f"outbound|{port}|{subset}|httpbin.canary.svc.cluster.local" for port, subset in ((8000, "v1"), (8001, "v2")))
ALERTS = {"CanaryArrivedOffDecided", "CanaryNotRouted"}


@contextlib.contextmanager
def watched(directory, certificate, config, change, responses=True):
    """A gateway with the shipped routes but for a change, and a Prometheus whose alerts wait for seconds only."""
    impatient = directory / "rules.yaml"
    impatient.write_text(re.sub(r"for: \d+m", "for: 2s", RULES.read_text()))
    with gateway(directory, certificate, responses=responses) as (envoy, generated):
        generated.apply(envoy, "sticky", change)
        generated.plugin.update(envoy, {"rules": config})
        with Prometheus({"gateway": envoy}, impatient) as prometheus:
            yield envoy, generated, prometheus


def send(envoy, times, path="/", listener=HTTPS):
    with Connection(envoy.port(listener), tls=listener == HTTPS) as connection:
        for _ in range(times):
            connection.send(request_bytes(path=path))
            connection.response()


def reported(prometheus, *states):
    """{(alert, rule or None, subset)} of the two alerts, in one of these states."""
    found = [alert for alert in prometheus.ask("alerts")["alerts"] if alert["state"] in states]
    labels = [alert["labels"] for alert in found]
    return {(l["alertname"], l.get("rule"), l["subset"]) for l in labels if l["alertname"] in ALERTS}


# ---- routes that contradict the filter -------------------------------------------------------------------------------


def weights(**shares):
    """Destinations by weight in the place of one."""
    clusters = {"v1": V1, "v2": V2}
    return {"clusters": [{"name": clusters[subset], "weight": weight} for subset, weight in shares.items()]}


def routes(resources):
    """The lists of routes of all virtual hosts."""
    return [host["routes"] for host in walk(resources["routes"]) if "domains" in host]


def weighted(name, **shares):
    """The route of this name has weights."""

    def change(resources):
        for route in (route for each in routes(resources) for route in each if route["name"] == name):
            route["route"].pop("cluster")
            route["route"]["weighted_clusters"] = weights(**shares)

    return change


def another_header(resources):
    for route in (route for each in routes(resources) for route in each if route["name"] == "canary"):
        route["match"]["headers"] = [header_match(HEADER + "-2", exact="v2")]


def path_before_header(resources):
    """Requests for /lost go to v1 whatever the filter says."""
    for each in routes(resources):
        each.insert(0, {"name": "lost", "match": {"prefix": "/lost"}, "route": {"cluster": V1}})


LOST = {"name": "lost", "match": [{"uri": {"prefix": "/lost"}}], "subset": "v2"}
OFF = "CanaryArrivedOffDecided"
WRONG = {
    "trial 1: weights in the route without a header": ([split_rule(80, 20)], weighted("stable", v1=80, v2=20), {(OFF, None, "v2")}),
    "weights in the header's route": ([split_rule(50, 50)], weighted("canary", v1=50, v2=50), {(OFF, None, "v1")}),
    "a weight of 0, and weights in the route": ([split_rule(1, 0)], weighted("stable", v1=80, v2=20), {(OFF, None, "v2")}),
    "another header": (
        [split_rule(80, 20)],
        another_header,
        {(OFF, None, "v1"), ("CanaryNotRouted", split_rule(80, 20)["name"], "v2")},
    ),
    "no route for the subset of one rule of two": (
        [LOST, split_rule(50, 50)],
        path_before_header,
        {(OFF, None, "v1"), ("CanaryNotRouted", "lost", "v2")},
    ),
}


OLDER = "trial 1: weights in the route without a header"


@pytest.mark.parametrize("wrong, responses", [*((wrong, True) for wrong in WRONG), (OLDER, False)])
def test_routes_that_contradict_the_filter_are_reported(tmp_path, certificate, wrong, responses):
    """With the subsets' responses, and by a gateway that has started with an older istio.yaml."""
    config, change, expected = WRONG[wrong]
    with watched(tmp_path, certificate, config, change, responses) as (envoy, _, prometheus):

        def fires():
            send(envoy, 50)
            send(envoy, 30, "/lost")
            return reported(prometheus, "firing") >= expected

        until(fires, lambda: f"{expected}, not {reported(prometheus, 'firing')}: {arrivals(prometheus)}")
        assert reported(prometheus, "firing", "pending") == expected


def arrivals(prometheus):
    return {name: prometheus.query(f"subset:canary_{name}:rate5m * 300") for name in ("decided", "arrived")}


# ---- routes that are right -------------------------------------------------------------------------------------------


def unchanged(resources):
    pass


def mirrored(resources):
    """All that goes to v1 goes to v2 as well, and nobody waits for the answer."""
    for route in (route for each in routes(resources) for route in each if route["name"] == "stable"):
        route["route"]["request_mirror_policies"] = [{"cluster": V2}]


RIGHT = {
    "as shipped": ([split_rule(80, 20)], unchanged),
    "all weight on one destination": ([split_rule(80, 20)], weighted("stable", v1=100, v2=0)),
    "mirrored": ([split_rule(80, 20)], mirrored),
    "two rules": ([LOST, split_rule(50, 50)], unchanged),
}


@pytest.mark.parametrize("right", RIGHT)
def test_routes_that_follow_the_filter_are_never_reported(tmp_path, certificate, right):
    """Nor are redirects, a canary without a pod, or one whose pods refuse, which Envoy tries again."""
    config, change = RIGHT[right]
    with watched(tmp_path, certificate, config, change) as (envoy, generated, prometheus):

        def traffic(seconds):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                send(envoy, 50)
                send(envoy, 30, "/lost")
                send(envoy, 80, listener=HTTP)
                assert not reported(prometheus, "firing", "pending"), arrivals(prometheus)

        until(lambda: traffic(1) or prometheus.value("sum(subset:canary_decided:rate5m) * 300 > 300"), "decisions in Prometheus")
        traffic(2)
        refusing = {"endpoint": {"address": {"pipe": {"path": str(tmp_path / "nobody.socket")}}}}
        for endpoints in ([], [{"lb_endpoints": [refusing]}]):
            generated.endpoints(V2, endpoints)
            send(envoy, 200)
            traffic(3)
        assert prometheus.value('sum(increase(canary_responses_total{code_class="5xx"}[5m]))') > 50

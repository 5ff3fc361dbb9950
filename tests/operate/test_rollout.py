"""Ramp and guard as a real Prometheus sees them, at a gateway that Istio has configured."""

import datetime
import json
import re

import pytest
from client import Connection
from configs import split_rule
from gateway import address, until
from generated import HTTPS
from operated import gateway
from prometheus import RULES, Prometheus
from repository import ROOT
from upstream import Answer, Upstream

V1, V2 = (f"outbound|{port}|{subset}|httpbin.canary.svc.cluster.local" for port, subset in ((8000, "v1"), (8001, "v2")))
DASHBOARD = json.loads((ROOT / "manifests/metrics/dashboard.json").read_text())
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
STICKY = {"sticky": {"keys": [{"header": "x-user"}]}}
RULES_OF_BOTH = [
    split_rule(50, 50, name="guarded", match=[{"uri": {"prefix": "/guarded"}}], guard={}, **STICKY),
    split_rule(50, 50, name="plain", **STICKY),
]


@pytest.fixture(scope="module")
def watched(tmp_path_factory, certificate):
    """A gateway whose v2 has no pod, and a Prometheus whose alerts wait for seconds only."""
    directory = tmp_path_factory.mktemp("rollout")
    impatient = directory / "rules.yaml"
    impatient.write_text(re.sub(r"for: \d+m", "for: 2s", RULES.read_text()))
    with gateway(directory, certificate) as (envoy, generated), Upstream(["v1"]) as upstream:
        generated.apply(envoy, "sticky")
        generated.plugin.update(envoy, {"rules": RULES_OF_BOTH})
        upstream.answer = Answer(200, [GRPC[0], ("grpc-status", "0")])
        generated.endpoints(V1, [{"lb_endpoints": [{"endpoint": {"address": address("127.0.0.1", upstream.ports["v1"])}}]}])
        generated.endpoints(V2, [])
        until(lambda: not pods(envoy, V2), envoy.explain("a v2 without pods"))
        until(lambda: pods(envoy, V1) == {f"127.0.0.1:{upstream.ports['v1']}"}, envoy.explain("v1's pod"))
        with Prometheus({"gateway": envoy}, impatient) as prometheus:
            yield envoy, generated, prometheus


def pods(envoy, cluster):
    """The addresses of a cluster's pods."""
    return set(re.findall(rf"(?m)^{re.escape(cluster)}::(\S+)::rq_total::", envoy.admin("/clusters")))


def visit(envoy, path, first, visitors=20):
    """gRPC calls of this many visitors, each of whom comes once."""
    # One after the other: Envoy closes the connection after an answer of its own.
    with Connection(envoy.port(HTTPS), tls=True) as connection:
        users = range(first, first + visitors)
        answers = [connection.request(path=path, headers=[*GRPC, ("x-user", f"u{user}")]) for user in users]
    # HTTP sees nothing of it.
    assert {answer.status for answer in answers} == {200}


def firing(prometheus, alert):
    """The labels of those of this name that fire."""
    alerts = prometheus.ask("alerts")["alerts"]
    labels = [each["labels"] for each in alerts if each["state"] == "firing"]
    return [(each["rule"], each["subset"]) for each in labels if each["alertname"] == alert]


def test_a_grpc_canary_that_fails_every_call_is_told(watched):
    envoy, _, prometheus = watched
    sent = 0

    def told():
        nonlocal sent
        visit(envoy, "/plain", sent)
        sent += 20
        return firing(prometheus, "CanaryErrors") == [("plain", "v2")]

    until(told, lambda: str(prometheus.query("rule_subset:canary_errors:ratio_rate5m")))


def test_a_canary_that_fails_leaves_by_itself_and_is_told(watched):
    envoy, generated, prometheus = watched
    weight = 'canary_config_weight{{rule="guarded",subset="{}"}}'.format
    until(lambda: prometheus.value(weight("v2")) == 50, "the weight")
    assert prometheus.value('canary_tripped{rule="guarded"}') == 0
    sent = 0

    def told():
        nonlocal sent
        visit(envoy, "/guarded", sent)
        sent += 20
        return firing(prometheus, "CanaryTripped") == [("guarded", "v2")]

    until(told, lambda: str(prometheus.query("canary_failing_visitors_total")))
    (line,) = envoy.errors(generated.plugin)
    assert re.search(r"rule guarded: v2 fails and is removed, v1 gets its share until the rule is edited: (\d+) of the \1 visitors that failed in the last \d+ s had v2, expected 50 %", line), line
    until(lambda: prometheus.value(weight("v2")) == 0, "a weight of 0")
    assert prometheus.value(weight("v1")) == 100
    # What has failed is still what failed: nobody gets there any more.
    counters = ["canary_failures_total", "canary_failing_visitors_total"]
    failed = [prometheus.value(f'{name}{{rule="guarded",subset="v2"}}') for name in counters]
    assert failed[0] == failed[1] >= 5
    # The dashboard says so.
    panels = {panel["title"]: panel["targets"] for panel in DASHBOARD["panels"]}
    shown = lambda title: [
        prometheus.query(target["expr"].replace("$rule", "guarded").replace("$__rate_interval", "1m"))
        for target in panels[title]
    ]
    present, planned = shown("Weights: plan and present")
    assert {labels["subset"]: value for labels, value in present} == {"v1": 100, "v2": 0}
    assert planned == []
    assert shown("Trips") == [[({"rule": "guarded", "subset": "v2"}, 1)]]
    (failing,) = shown("Failing visitors")
    assert {labels["subset"]: value > 0 for labels, value in failing} == {"v1": False, "v2": True}
    visit(envoy, "/guarded", sent, 100)
    assert envoy.stat("wasmcustom.rule=.=guarded;.;subset=.=v2;.;canary_failures_total") == failed[0]


def test_a_ramp_is_seen_as_it_goes(watched):
    envoy, generated, prometheus = watched
    start = datetime.datetime.now(datetime.timezone.utc)
    ramp = {
        "start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "steps": [{"after": "0s", "weights": {"v1": 100, "v2": 0}}, {"after": "8s", "weights": {"v1": 0, "v2": 100}}],
        "between": "linear",
    }
    generated.plugin.update(envoy, {"rules": [split_rule(100, 0, name="ramped", ramp=ramp)]})
    seen = []

    def ended():
        seen.append(prometheus.value('canary_config_weight{rule="ramped",subset="v2"}') or 0)
        return seen[-1] == 100

    until(ended, lambda: str(seen))
    assert seen == sorted(seen) and len({weight for weight in seen if 0 < weight < 100}) >= 3, seen

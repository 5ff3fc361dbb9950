"""What a real Prometheus sees of a gateway: the counters add up, the rules record, every panel shows something, alerts come."""

import contextlib
import itertools
import json
import math
import re

import pytest
import yaml
from client import Connection, request_bytes
from configs import split_rule
from discovery import publish, resource
from gateway import Failed, until
from generated import HTTPS, fixture
from operated import gateway
from prometheus import RULES, Prometheus
from repository import ROOT

DASHBOARD = json.loads((ROOT / "manifests/metrics/dashboard.json").read_text())
CONFIG = {
    "rules": [
        {"name": "testers", "match": [{"headers": {"x-canary-key": {"exact": "k"}}}], "subset": "v2"},
        {
            "name": "httpbin",
            "hosts": ["canary.example.com"],
            "split": [{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 20}],
            "sticky": {"keys": [{"header": "x-user-id"}], "cookie": {}},
            "guard": {},
        },
    ]
}
# As Istio, which translates WasmPlugins, calls it.
PLUGIN = "istio-system.canary-split~istio-translated-wasmplugin"
# What is sent, how often, and how it is to be counted: (rule, source).
SENT = [
    ([], 100, ("httpbin", "fresh")),
    ([("x-user-id", "somebody@example.com")], 30, ("httpbin", "key")),
    ([("cookie", "canary-httpbin=1.feedface.1c9c380")], 50, ("httpbin", "cookie")),
    ([("x-canary-key", "k")], 20, ("testers", "fixed")),
    ([("host", "elsewhere.example.com")], 10, ("", "none")),
]


def send(envoy, headers, times):
    host = dict(headers).get("host", "canary.example.com")
    with Connection(envoy.port(HTTPS), tls=True) as connection:
        for _ in range(times):
            connection.send(request_bytes(host=host, headers=[pair for pair in headers if pair[0] != "host"]))
            assert connection.response().status == (200 if host == "canary.example.com" else 404)


@pytest.fixture(scope="module")
def seen(gateways, prometheus):
    """The traffic of SENT at the one gateway, some at the other, all of it scraped twice at least."""
    envoy, generated = gateways["gateway"]
    generated.apply(envoy, "sticky")
    generated.plugin.update(envoy, CONFIG)
    rounds = 3
    for round in range(1, rounds + 1):
        for headers, times, _ in SENT:
            send(envoy, headers, times)
        send(gateways["without-filter"][0], [], 20)
        total = round * sum(times for _, times, _ in SENT)
        until(lambda: prometheus.value("sum(canary_responses_total)") == total, f"{total} responses in Prometheus")
    return rounds


def test_counters_add_up_to_the_requests(prometheus, seen):
    for (rule, source), times in ((counted, times) for _, times, counted in SENT):
        labels = f'{{instance="gateway",rule="{rule}",source="{source}"}}'
        assert prometheus.value(f"sum(canary_requests_total{labels})") == seen * times, labels
    for series in ("canary_requests_total", "canary_responses_total"):
        assert prometheus.value(f"sum({series})") == seen * sum(times for _, times, _ in SENT)
    responses = prometheus.query("sum by (rule, code_class) (canary_responses_total)")
    counted = {(labels.get("rule", ""), labels["code_class"]): value for labels, value in responses}
    assert counted == {("httpbin", "2xx"): 180 * seen, ("testers", "2xx"): 20 * seen, ("", "4xx"): 10 * seen}


def test_labels_say_what_the_config_says_and_never_who_asked(prometheus, seen):
    allowed = {
        "rule": {"", "httpbin", "testers"},
        "subset": {"", "v1", "v2"},
        "source": {"fixed", "fresh", "key", "cookie", "kept", "none"},
        "code_class": {"1xx", "2xx", "3xx", "4xx", "5xx"},
        "state": {"active", "last_good", "off"},
        "plugin": {PLUGIN},
        "instance": {"gateway"},
        "job": {"g"},
        "istio": {"ingressgateway"},
    }
    series = prometheus.ask("series", **{"match[]": '{__name__=~"canary_.*"}'})
    names = {labels.pop("__name__") for labels in series}
    assert names == {
        "canary_requests_total",
        "canary_responses_total",
        "canary_config_errors_total",
        "canary_config_rules",
        "canary_config_fingerprint",
        "canary_config_faults",
        "canary_config_weight",
        "canary_tripped",
        "canary_failing_visitors_total",
    }
    for labels in series:
        assert all(value in allowed[name] for name, value in labels.items()), labels


# No stock Envoy counts what Istio's own counts, and nothing is lost.
EMPTY = {"instance_subset:istio_requests:rate5m", "rule_subset:canary_lost:rate5m"}


def test_every_recording_rule_records_and_none_fails(prometheus, seen):
    names = {rule["record"] for group in groups() for rule in group["rules"] if "record" in rule} - EMPTY
    until(
        lambda: all(prometheus.query(name) for name in names),
        lambda: f"no data: {[name for name in names if not prometheus.query(name)]}",
    )
    for group in prometheus.ask("rules")["groups"]:
        for rule in group["rules"]:
            assert rule["health"] == "ok", rule
    for subset, weight in (("v1", 0.8), ("v2", 0.2)):
        labels = f'{{rule="httpbin",subset="{subset}"}}'
        assert prometheus.value(f"rule_subset:canary_configured_share:ratio{labels}") == weight
    (errors,) = {value for _, value in prometheus.query("rule_subset:canary_errors:ratio_rate5m")}
    assert errors == 0


def groups():
    return yaml.safe_load(RULES.read_text())["groups"]


def expand(expression):
    """As Grafana does with all rules and services chosen."""
    for name, value in {"__rate_interval": "1m", "__range": "1h", "rule": "(httpbin|testers)", "service": ".+"}.items():
        expression = re.sub(rf"\${name}\b", lambda _: value, expression)
    assert "$" not in expression.replace('"$1"', ""), expression
    return expression


TARGETS = [(panel["title"], target) for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("target", [target for _, target in TARGETS], ids=[f"{t}-{q['refId']}" for t, q in TARGETS])
def test_every_panel_of_the_dashboard_shows_something(prometheus, seen, target):
    labels = re.findall(r"{{(\w+)}}", target["legendFormat"])
    result = []

    def numbers():
        # Envoy adds to its histograms every five seconds.
        result[:] = prometheus.query(expand(target["expr"]))
        return result and not any(math.isnan(value) for _, value in result)

    until(numbers, lambda: f"{target['expr']}: {result}")
    for label in labels:
        assert any(label in metric for metric, _ in result), f"no {label} in {result}"


def test_the_dashboards_variables_and_annotations_are_answered(prometheus, seen):
    for annotation in DASHBOARD["annotations"]["list"]:
        prometheus.query(expand(annotation["expr"]))
    found = {}
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()
            values = prometheus.ask(f"label/{label}/values", **{"match[]": series})
            pattern = variable.get("regex", "/(.+)/").strip("/")
            found[variable["name"]] = {match[1] for match in (re.search(pattern, value) for value in values) if match}
    services = {"httpbin.canary.svc.cluster.local"}
    assert found == {"rule": {"httpbin", "testers"}, "service": services}


def test_the_dashboard_is_laid_out():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x, y in itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"]))
    ]
    assert len(set(cells)) == len(cells), "two panels overlap"
    assert max(x for x, _ in cells) < 24
    variables = {"datasource", "rule", "service", "__rate_interval", "__range"}
    assert set(re.findall(r"\$\{?([a-z_]+)", json.dumps(DASHBOARD))) == variables | {"__all"}


def test_a_gateway_without_the_filter_is_told_and_one_with_it_is_not(gateways, prometheus, seen):
    envoy, _ = gateways["without-filter"]
    assert "canary_requests_total" not in envoy.admin("/stats/prometheus")
    until(lambda: ("CanaryFilterNotLoaded", "pending") in prometheus.alerts(), lambda: str(prometheus.alerts()))
    (alert,) = (a for a in prometheus.ask("alerts")["alerts"] if a["labels"]["alertname"] == "CanaryFilterNotLoaded")
    assert alert["labels"]["instance"] == "without-filter"


def test_a_typo_is_told_and_so_is_its_end(gateways, prometheus, seen):
    envoy, generated = gateways["gateway"]
    broken = json.loads(json.dumps(CONFIG))
    broken["rules"][1]["split"][1]["weight"] = "20 %"
    broken["rules"].append({"name": "new"})
    quiet = {"CanaryRuleOnLastGood", "CanaryRuleOff", "CanaryConfigFaulty"}

    def alerts(*expected):
        told = lambda: {(name, state) for name, state in prometheus.alerts() if name in quiet}
        until(lambda: told() == set(expected), lambda: f"{expected}, not {told()}")

    alerts()
    generated.plugin.update(envoy, broken)
    now = [("CanaryRuleOnLastGood", "pending"), ("CanaryRuleOff", "pending"), ("CanaryConfigFaulty", "firing")]
    alerts(*now)
    assert prometheus.value('canary_config_rules{state="last_good"}') == 1
    assert prometheus.value("canary_config_errors_total") == 2
    assert prometheus.value(f'canary_config_faults{{plugin="{PLUGIN}"}}') == 2
    faulty = {(labels["rule"], labels["state"]): value for labels, value in prometheus.query("canary_rule_fault")}
    assert faulty == {("httpbin", "last_good"): 1, ("new", "off"): 1}
    fingerprint = prometheus.value("canary_config_fingerprint")
    # The last good weights are in force, and are shown.
    assert prometheus.value('canary_config_weight{rule="httpbin",subset="v2"}') == 20
    generated.plugin.update(envoy, CONFIG)
    # That there were faults is told for a while.
    alerts(("CanaryConfigFaulty", "firing"))
    assert prometheus.value("canary_config_faults") == 0
    assert {value for _, value in prometheus.query("canary_rule_fault")} == {0}
    assert prometheus.value("canary_config_fingerprint") != fingerprint


def test_a_subset_without_a_route_is_told(gateways, prometheus, seen):
    envoy, generated = gateways["gateway"]
    generated.plugin.update(envoy, {"rules": [{"name": "lost", "subset": "v3"}]})

    def told():
        send(envoy, [], 10)
        told = [a["labels"] for a in prometheus.ask("alerts")["alerts"] if a["labels"]["alertname"] == "CanaryNotRouted"]
        return [labels["subset"] for labels in told] == ["v3"]

    until(told, lambda: str(prometheus.alerts()))
    generated.plugin.update(envoy, CONFIG)


def blocks(document):
    """The queries of a document, a line each."""
    for block in re.findall(r"(?ms)^```promql\n(.*?)^```", (ROOT / document).read_text()):
        yield from block.splitlines()


@pytest.mark.parametrize("document", ["docs/monitoring.md", "docs/runbook.md"])
def test_every_query_of_the_documents_is_answered(prometheus, seen, document):
    queries = list(blocks(document))
    assert queries
    for query in queries:
        answer = prometheus.query(query)
        assert answer or query.endswith("> 0"), f"no data: {query}"


def test_the_gateways_that_disagree_are_found(tmp_path, certificate):
    (query,) = (line for line in blocks("docs/runbook.md") if " - min " in line)
    with contextlib.ExitStack() as stack:
        both = {}
        for name, v2 in (("first", 20), ("behind", 0)):
            directory = tmp_path / name
            directory.mkdir()
            both[name], generated = stack.enter_context(gateway(directory, certificate))
            generated.plugin.update(both[name], with_weight(v2))
        watching = stack.enter_context(Prometheus(both))
        until(lambda: len(watching.query("canary_config_weight")) == 4, "both gateways' weights")
        found = [(labels["subset"], value) for labels, value in watching.query(query)]
        assert sorted(found) == [("v1", 20), ("v2", 20)]
        generated.plugin.update(both["behind"], with_weight(20))
        until(lambda: not watching.query(query), "agreement")


def with_weight(v2):
    return {"rules": [split_rule(100 - v2, v2)]}


def test_the_rules_use_no_series_that_nobody_writes(prometheus, seen):
    written = set(prometheus.ask("label/__name__/values"))
    words = set(re.findall(r"(?<![a-z_:])(?:canary|envoy|[a-z_]*subset:[a-z]+)_[a-z_:0-9]+", RULES.read_text()))
    assert words and words - written <= EMPTY, words - written
    with pytest.raises(Failed):
        prometheus.query("sum by (")


def test_what_envoy_rejects_is_counted(tmp_path, certificate):
    """Routes and a plugin's config: Envoy keeps those that it had."""
    routes = 'envoy_http_rds_http_8080_update_rejected{http_conn_manager_prefix="outbound_0.0.0.0_8080"}'
    extension = "envoy_extension_config_discovery_http_filter_" + re.sub(r"\W", "_", f"extensions.istio.io/trafficextension/{PLUGIN}")
    names = (routes, extension + "_update_rejected{}", extension + "_config_fail{}")
    with gateway(tmp_path, certificate) as (envoy, generated):

        def rejected():
            samples = dict(line.rsplit(" ", 1) for line in envoy.admin("/stats/prometheus").splitlines() if line)
            return [int(samples[name]) > 0 for name in names]

        until(lambda: rejected() == [False, False, False], rejected)
        resources = fixture("weighted")
        for each in resources["routes"]:
            each["virtual_hosts"][0]["domains"] = []
        generated.write_routes(resources)
        until(lambda: rejected() == [True, False, False], rejected)
        publish(generated.plugin.file, "bad", resource("envoy.config.core.v3.TypedExtensionConfig", {"name": "another"}))
        until(lambda: rejected() == [True, True, True], rejected)

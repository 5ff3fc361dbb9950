"""The rules that we ship: promtool takes them, each alert is known to fire and known not to, both files say the same."""

import re

import pytest
import yaml
from gateway import Failed
from prometheus import RULES, promtool
from repository import ROOT

METRICS = ROOT / "manifests/metrics"
TESTS = [ROOT / "tests/operate" / name for name in ("rules_test.yaml", "arrivals_test.yaml")]


def alerts():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_promtool_takes_the_rules_and_their_tests():
    assert "SUCCESS" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("test", "rules", *TESTS)


@pytest.mark.parametrize("alert", alerts())
def test_each_alert_is_known_to_fire_and_known_not_to(alert):
    tests = [t for file in TESTS for test in yaml.safe_load(file.read_text())["tests"] for t in test.get("alert_rule_test", [])]
    fires = {bool(test["exp_alerts"]) for test in tests if test["alertname"] == alert}
    assert fires == {True, False}


def changes(block, parts):
    """The block with one part after the other as something else."""
    found = [(match, new) for part, news in parts for match in re.finditer(part, block, re.M) for new in news]
    assert found
    return [block[: match.start()] + new + block[match.end() :] for match, new in found]


def assert_needed(block, parts, told, directory):
    """A test of these alerts fails if any part of this block of the rules is something else."""
    rules = RULES.read_text()
    tests = [test for file in TESTS for test in yaml.safe_load(file.read_text())["tests"]]
    for test in tests:
        test["alert_rule_test"] = [each for each in test.get("alert_rule_test", []) if each["alertname"] in told]
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [t for t in tests if t["alert_rule_test"]]}
    (directory / "test.yaml").write_text(yaml.safe_dump(tests))
    for changed in changes(block, parts):
        groups = yaml.safe_load(rules.replace(block, changed))["groups"]
        for group in groups:
            group["rules"] = [rule for rule in group["rules"] if rule.get("alert", told[0]) in told]
        (directory / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
        with pytest.raises(Failed, match="FAILED"):
            promtool("test", "rules", directory / "test.yaml")
            print(f"Nothing fails with\n{changed}")


@pytest.mark.parametrize("alert", alerts())
def test_the_tests_of_an_alert_need_every_part_of_it(alert, tmp_path):
    """Without a term of its condition, or without its patience, a test fails."""
    block = re.search(rf"  - alert: {alert}\n(.+?)(?=\n  - alert|\Z)", RULES.read_text(), re.S)[0]
    parts = [(r"(?<=>= )\d+|(?<=> )0\.05|(?<=\+ )0\.01|0\.\d(?= \*)", ["0", "99999"]), (r"    for: \d+m\n", [""])]
    parts += [(r" unless\b", [" and"]), (r"> 0$", ["< 0"])]
    assert_needed(block, parts, [alert], tmp_path)


RECORDS = ["envoy_responses", "envoy_requests", "istio_requests", "canary_decided", "canary_arrived", "canary_lost"]


@pytest.mark.parametrize("record", RECORDS)
def test_the_tests_of_what_arrives_need_every_part_of_it(record, tmp_path):
    """Without a label that is asked for, a limit, one of the three sources, or what keeps them apart a test fails."""
    block = re.search(rf"  - record: \w+:{record}:rate5m\n(.+?)(?=\n  #|\n  - record|\n\n)", RULES.read_text(), re.S)[0]
    parts = [(r'\b(istio|reporter|response_code|response_code_class|subset|code_class)(=|=~|!=|!~)"[^"$]*",?', [""])]
    parts += [(r"0\.\d(?= \*)", ["0", "99999"])]
    parts += [(r" unless on \(instance\) [a-z0-9:_]+", [""]), (r"(?s)\n      or\n.+?(?=\n      or|\Z)", [""])]
    parts = [(part, news) for part, news in parts if re.search(part, block, re.M)]
    assert_needed(block, parts, ["CanaryArrivedOffDecided", "CanaryNotRouted"], tmp_path)


ENVOY = 'envoy_cluster_upstream_rq_total{{istio="ingressgateway",instance="a",cluster_name="outbound|80|{}.svc.cluster.local"}}'
HIDDEN = {
    'canary_requests_total{instance="a",rule="r",subset="v1",source="fresh"}': 80,
    'canary_requests_total{instance="a",rule="r",subset="v2",source="fresh"}': 20,
    ENVOY.format("v1|shop.shop"): 100,
    ENVOY.format("v2|shop.shop"): 0,
    ENVOY.format("v1|reviews.blog"): 400,
    ENVOY.format("v2|reviews.blog"): 50,
}


@pytest.mark.parametrize("named, told", [(False, 0), (True, 1)])
def test_a_service_without_a_rule_hides_a_missing_route_until_those_with_one_are_named(tmp_path, named, told):
    """As the rules and the runbook say; by names alone nobody can know."""
    text, service = RULES.read_text(), "[^|]+\\\\|%s\""
    assert service % ".+" in text
    (tmp_path / "rules.yaml").write_text(text.replace(service % ".+", service % "shop.shop.svc.cluster.local") if named else text)
    series = [{"series": name, "values": f"0+{each}x20"} for name, each in HIDDEN.items()]
    expression = 'count(ALERTS{alertname="CanaryNotRouted",alertstate="firing",rule="r",subset="v2"}) or vector(0)'
    expected = {"expr": expression, "eval_time": "18m", "exp_samples": [{"labels": "{}", "value": told}]}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [expected]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
    promtool("test", "rules", tmp_path / "test.yaml")


def test_the_operators_rules_are_the_same():
    operators = yaml.safe_load((METRICS / "prometheusrule.yaml").read_text())
    assert (operators["apiVersion"], operators["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert operators["spec"] == yaml.safe_load(RULES.read_text())


@pytest.mark.parametrize("alert", alerts())
def test_each_alert_has_a_section_in_the_runbook(alert):
    rule = alerts()[alert]
    url = f"https://github.com/canary-split/canary-split/blob/main/docs/runbook.md#{alert.lower()}"
    assert rule["annotations"]["runbook_url"] == url
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert f"\n### {alert}\n" in (ROOT / "docs/runbook.md").read_text()

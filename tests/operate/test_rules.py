"""The rules that we ship: promtool takes them, each alert is known to fire and known not to, both files say the same."""

import re

import pytest
import yaml
from gateway import Failed
from prometheus import RULES, promtool
from repository import ROOT

METRICS = ROOT / "manifests/metrics"
TESTS = ROOT / "tests/operate/rules_test.yaml"


def alerts():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_promtool_takes_the_rules_and_their_tests():
    assert "SUCCESS" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("test", "rules", TESTS)


@pytest.mark.parametrize("alert", alerts())
def test_each_alert_is_known_to_fire_and_known_not_to(alert):
    tests = [t for test in yaml.safe_load(TESTS.read_text())["tests"] for t in test.get("alert_rule_test", [])]
    fires = {bool(test["exp_alerts"]) for test in tests if test["alertname"] == alert}
    assert fires == {True, False}


@pytest.mark.parametrize("alert", alerts())
def test_the_tests_of_an_alert_need_every_part_of_it(alert, tmp_path):
    """Without a term of its condition, or without its patience, a test fails."""
    text = RULES.read_text()
    block = re.search(rf"  - alert: {alert}\n(.+?)(?=\n  - alert|\Z)", text, re.S)[0]
    parts = [(r"(?<=>= )\d+|(?<=> )0\.05|(?<=\+ )0\.01", ["0", "99999"]), (r"    for: \d+m\n", [""])]
    parts += [(r" unless\b", [" and"]), (r"> 0$", ["< 0"])]
    changes = [
        block[: found.start()] + new + block[found.end() :]
        for part, news in parts
        for found in re.finditer(part, block, re.M)
        for new in news
    ]
    assert changes
    test = yaml.safe_load(TESTS.read_text())
    test["rule_files"] = ["rules.yaml"]
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    for changed in changes:
        (tmp_path / "rules.yaml").write_text(text.replace(block, changed))
        with pytest.raises(Failed, match="FAILED"):
            promtool("test", "rules", tmp_path / "test.yaml")
            print(f"Nothing fails with\n{changed}")


def test_the_operators_rules_are_the_same():
    operators = yaml.safe_load((METRICS / "prometheusrule.yaml").read_text())
    assert (operators["apiVersion"], operators["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert operators["spec"] == yaml.safe_load(RULES.read_text())


@pytest.mark.parametrize("alert", alerts())
def test_each_alert_has_a_section_in_the_runbook(alert):
    rule = alerts()[alert]
    assert rule["annotations"]["runbook"] == f"docs/RUNBOOK.md#{alert.lower()}"
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert f"\n### {alert}\n" in (ROOT / "docs/RUNBOOK.md").read_text()

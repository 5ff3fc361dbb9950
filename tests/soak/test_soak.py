"""The soak finds nothing in some seconds, and finds faults that exist."""

import pytest
import soak


def test_some_seconds_under_fire_fail_nothing():
    report = soak.soak(6, tell=None)
    print(report.table())
    assert report.failures == []
    assert all(report.requests.values()) and report.pushes["good"] > 5
    assert set(report.sources) == {"fresh", "key", "cookie", "kept", "none", "fixed"} - {"fixed"}


@pytest.mark.parametrize(
    ("break_it", "found"),
    [
        (lambda rules, n: rules[-2]["sticky"].update(salt=f"s{n}"), "moved without need"),
        (lambda rules, n: rules[-2].update(sticky={}) or rules[-2]["sticky"].update(keys=[{"header": "x"}]), "0 cookies instead of {1}"),
        (lambda rules, n: rules[-2]["split"].append({"subset": "v3", "weight": 5}), "routed elsewhere than decided"),
        (lambda rules, n: rules[0].update(weight=1), "faults were pushed"),
    ],
    ids=["another salt", "no cookie", "a subset without a route", "a fault"],
)
def test_it_finds_what_is_wrong(monkeypatch, break_it, found):
    whole, pushed = soak.config, []

    def broken(weight, others, broken=False):
        config = whole(weight, others or [1], broken)
        pushed.append(config)
        if len(pushed) > 3:
            break_it(config["rules"], len(pushed))
        return config

    monkeypatch.setattr(soak, "config", broken)
    failures = soak.soak(4, tell=None).failures
    assert any(found in failure for failure in failures), failures[:3]

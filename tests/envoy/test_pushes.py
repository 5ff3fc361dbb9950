"""Config changes in service, at full load: nothing fails, nobody moves without need, memory stays, faults are told.

150 pushes on the newest released Istio's Envoy, 30 on the others.
"""

import random

import metrics
import pytest
from client import Connection, request_bytes
from configs import split_rule
from cookies import visitors
from gateway import (
    Envoy,
    Plugin,
    bootstrap,
    connection_manager,
    echo_apps,
    listener,
    newest,
    subset_routes,
    until,
)
from load import BATCH, InForce, Load, homes, misrouted, rss

LEVELS = [0, 1, 5, 10, 20, 50, 90, 100]
COOKIES = visitors(512)
REQUESTS = [request_bytes(headers=[cookie]) for cookie in COOKIES]


def config(weight, others=(), before=False):
    """v2 at this weight; other rules of the same and of other hosts come after or before it."""
    ours = split_rule(100 - weight, weight, hosts=["canary.example.com"], sticky={"cookie": {}})
    others = [
        {"name": f"o{n}", "hosts": [f"o{n}.example.com", "*.example.org"], "match": [{"uri": {"regex": f"/{n}+"}}], "subset": "v2"}
        for n in others
    ]
    return {"rules": [*others, ours] if before else [ours, *others]}


class Gateway:
    """Two workers; the applications are listeners of the same Envoy. It can be started again with what it was given."""

    def __init__(self, version, directory, first):
        self.version, self.directory = version, directory
        self.plugin = Plugin("istio-system.canary", directory)
        self.plugin.write(first)

    def start(self):
        manager = connection_manager("http", [self.plugin.filter()], subset_routes())
        apps, clusters = echo_apps(self.directory)
        return Envoy(self.version, bootstrap([listener("http", manager), *apps], clusters), concurrency=2)


@pytest.fixture
def gateway(version, tmp_path):
    return Gateway(version, tmp_path, config(20))


def test_pushes_fail_no_request_move_nobody_without_need_and_leak_nothing(gateway):
    rng = random.Random(7)
    pushes = 150 if gateway.version == newest() else 30
    with gateway.start() as envoy:
        port = envoy.port("http")
        with Connection(port) as connection:
            home = {}
            for level in LEVELS:
                gateway.plugin.update(envoy, config(level))
                home[level] = homes(connection, REQUESTS)
        # A visitor of v2 at one weight is there at every greater one: only then does "without need" hold.
        assert all(
            low == high or (low, high) == ("v1", "v2")
            for smaller, greater in zip(LEVELS, LEVELS[1:])
            for low, high in zip(home[smaller], home[greater])
        )
        in_force = InForce(LEVELS[-1])

        def check(visitor):
            def problem(response, levels):
                if wrong := misrouted(response):
                    return wrong
                if response.values("set-cookie"):
                    return "a visitor who was known got a cookie"
                return None if response.value("x-served-by") in {home[level][visitor] for level in levels} else "moved"

            return problem

        def batch(thread):
            return [(REQUESTS[v], check(v)) for v in rng.sample(range(len(REQUESTS)), BATCH)]

        with Load(port, in_force, batch) as load:
            memory = []
            for push in range(pushes):
                # Weights, rules, or both.
                level = rng.choice(LEVELS) if push % 3 else in_force.pushed[-1]
                others = rng.sample(range(9), rng.randrange(9))
                new = config(level, others, before=rng.random() < 0.5)
                before = load.requests
                until(lambda: load.faults or load.requests > before + 200, "requests between two pushes")
                in_force.push(level, lambda: gateway.plugin.update(envoy, new))
                memory.append(rss(envoy))
        print(f"{gateway.version}: {load.requests} requests, {pushes} pushes, RSS {memory[0]} to {memory[-1]} KiB")
        assert load.faults == []
        # V8 grows to what it needs within the first pushes.
        settled = max(memory[: len(memory) // 3])
        assert memory[-1] < settled * 1.1, memory
        assert envoy.errors(gateway.plugin) == []
        assert envoy.stat("http.http.downstream_rq_5xx") == 0


def test_a_bad_push_under_load_costs_its_rule_the_change_and_after_a_restart_the_rule_alone(gateway):
    good = config(100, [1])
    bad = config(0, [1])
    bad["rules"][0]["split"][1]["weight"] = "0 %"
    bad["rules"][0]["sticky"]["cookie"]["ttl"] = "30d"
    bad["rules"][1] |= {"hosts": ["o.example.com"], "match": [{"uri": {"prefix": "/"}}], "subset": "v1"}
    other = request_bytes(host="o.example.com")

    def problem(response, _):
        return None if (response.status, response.value("x-served-by")) == (200, "v2") else "not the last good version"

    gateway.plugin.write(good)
    with gateway.start() as envoy:
        port = envoy.port("http")
        with Load(port, InForce(None), lambda _: [(request, problem) for request in REQUESTS[:BATCH]]) as load:
            gateway.plugin.update(envoy, bad)
            with Connection(port) as connection:
                assert homes(connection, [other]) == ["v1"], "the good rule takes effect"
        assert load.faults == [] and load.requests > 0
        consequence = "(rule httpbin keeps its last good version)"
        assert len(envoy.errors(gateway.plugin)) == 2, "one line for each fault"
        assert all(line.startswith("rules[0].s") and line.endswith(consequence) for line in envoy.errors(gateway.plugin))
        assert metrics.rules(envoy) == {"active": 1, "last_good": 1, "off": 0}
        assert metrics.faults(envoy) == 2
        assert metrics.weight(envoy, "httpbin", "v2") == 100
    with gateway.start() as envoy, Connection(envoy.port("http")) as connection:
        assert homes(connection, [other, REQUESTS[0]]) == ["v1", "v1"], "no rule for the host: the default route"
        assert metrics.rules(envoy) == {"active": 1, "last_good": 0, "off": 1}
        assert [line.endswith("(rule httpbin is off)") for line in envoy.errors(gateway.plugin)] == [True, True]

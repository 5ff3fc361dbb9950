"""A gateway under fire: visitors, newcomers, users with a key, hostile clients and failing applications at once, while weights and
rules are pushed, good ones and bad ones. It ends in a table; a failure of the filter's is anything that it lists as such.

    python tests/soak/soak.py [SECONDS]        # default 600
"""

import contextlib
import random
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "envoy"))

import metrics  # noqa: E402
from client import request_bytes  # noqa: E402
from configs import split_rule  # noqa: E402
from cookies import visitors  # noqa: E402
from gateway import (  # noqa: E402
    Envoy,
    Plugin,
    bootstrap,
    cluster,
    connection_manager,
    echo_apps,
    listener,
    newest,
    route,
    subset_routes,
)
from load import BATCH, InForce, Load, misrouted, rss  # noqa: E402
from test_fuzz import Fuzz, Pipe, check  # noqa: E402
from upstream import Answer, Upstream  # noqa: E402

LEVELS = [0, 1, 2, 5, 10, 25, 50, 75, 99, 100]
PAUSE = 0.25  # seconds between two pushes
SETTLED = 0.2  # of the time; by then every VM has seen all that it keeps memory for
GROWTH = 1.1  # of resident memory after that
# What the applications are told to do, and what the gateway makes of it.
FAILURES = {"/errors": 500, "/resets": 503, "/dead": 503, "/slow": 504}


def config(weight, others, broken=False):
    sticky = {"keys": [{"header": "x-user-id"}], "cookie": {}}
    v2 = f"{weight} %" if broken else weight
    ours = split_rule(100 - weight, v2, hosts=["canary.example.com"], sticky=sticky, guard={})
    hostile = {
        "name": "many",
        "hosts": ["*.test", "[::1]", "example.org", "*.example.com"],
        "match": [{"uri": {"regex": "/a+(b|c)*/.*"}}, {"cookies": {"beta": {"prefix": "1"}}}, {"queryParams": {"q": {}}}],
        "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 1}],
        "sticky": {"cookie": {"name": "m", "ttl": "1m"}, "onWeightChange": "keep"},
        # Applications fail on both versions alike: a trip would be an error line that nobody expects.
        "guard": {},
    }
    rules = [{"name": f"o{n}", "hosts": [f"o{n}.example.com"], "subset": "v2"} for n in others]
    return {"responseHeader": "x-subset", "rules": [*rules, ours, hostile]}


def cookies_problem(response, weights):
    """One cookie, but none while one subset has all the weight: `weights` are those that may be in force."""
    given = len(response.values("set-cookie"))
    whole = {weight in (0, 100) for weight in weights}
    allowed = {0 if is_whole else 1 for is_whole in whole}
    return None if given in allowed else f"{given} cookies instead of {allowed}"


class Visitor:
    """Somebody who has to stay: a visitor of v2 at one weight is there at every greater one."""

    def __init__(self, *headers):
        self.headers = list(headers)
        self.stayed_at = -1  # the greatest weight at which v1 was seen
        self.left_at = 101  # the least at which v2 was

    def problem(self, response, weights):
        if wrong := misrouted(response):
            return wrong
        served = response.value("x-served-by")
        if response.value("x-subset") != served:
            return "the client is told another subset"
        if served == "v2" and max(weights) <= self.stayed_at or served == "v1" and min(weights) >= self.left_at:
            return f"moved without need ({self.stayed_at}, {self.left_at}, {weights})"
        if len(set(weights)) == 1:
            if served == "v1":
                self.stayed_at = max(self.stayed_at, weights[0])
            else:
                self.left_at = min(self.left_at, weights[0])
        return None


class Crowd:
    """A pool of visitors of one kind, of whom each batch takes some."""

    def __init__(self, pool, seed):
        self.pool = pool
        self.rng = random.Random(seed)

    def batch(self, _thread):
        return [(request_bytes(headers=v.headers), self.check(v)) for v in self.rng.sample(self.pool, BATCH)]

    @staticmethod
    def check(visitor):
        is_keyed = any(name == "x-user-id" for name, _ in visitor.headers)

        def problem(response, weights):
            # Who is known by a key alone gets a cookie with its draw each time.
            if is_keyed and (wrong := cookies_problem(response, weights)):
                return wrong
            if not is_keyed and response.values("set-cookie"):
                return "a visitor who is known got a cookie"
            return visitor.problem(response, weights)

        return problem


class Newcomers(Crowd):
    """Half of each batch comes for the first time; then it belongs to the pool."""

    def batch(self, thread):
        first = [Visitor() for _ in range(BATCH // 2)]
        known = self.rng.sample(self.pool, min(len(self.pool), BATCH - len(first)))
        return [(request_bytes(headers=v.headers), self.check(v) if v.headers else self.welcome(v)) for v in known + first]

    def welcome(self, visitor):
        def problem(response, weights):
            if wrong := cookies_problem(response, weights):
                return wrong
            cookie = response.cookies().get("canary-httpbin")
            if not cookie:
                return None
            visitor.headers = [("cookie", f"canary-httpbin={cookie}")]
            self.pool.append(visitor)
            del self.pool[:-4096]
            return visitor.problem(response, weights)

        return problem


class Hostile(threading.Thread):
    """Random bytes; each is answered, and by no failure of the gateway."""

    def __init__(self, port, seed):
        super().__init__(daemon=True)
        self.pipe, self.fuzz = Pipe(port), Fuzz(seed)
        self.requests, self.faults, self.stop = 0, [], threading.Event()

    def run(self):
        while not self.stop.is_set() or self.pipe.waiting:
            while len(self.pipe.waiting) < BATCH and not self.stop.is_set():
                self.pipe.waiting.append(self.fuzz.request())
            self.pipe.send()
            for request, response in self.pipe.receive():
                self.requests += 1
                try:
                    check(response)
                except AssertionError as error:
                    self.faults.append(f"{request!r} gave {response}: {error}")
        self.pipe.connection.close()


@dataclass
class Report:
    version: str
    seconds: float = 0
    requests: dict = field(default_factory=dict)
    pushes: dict = field(default_factory=dict)
    failures: list = field(default_factory=list)
    memory: tuple = (0, 0, 0)
    sources: dict = field(default_factory=dict)

    def table(self):
        total = sum(self.requests.values())
        start, settled, end = self.memory
        rows = [("Envoy", self.version), ("seconds", round(self.seconds)), ("requests", f"{total:,}")]
        rows += [(f"  of {kind}", f"{number:,}") for kind, number in self.requests.items()]
        rows += [("requests a second", f"{total / self.seconds:,.0f}")]
        rows += [(f"pushes, {kind}", f"{number:,}") for kind, number in self.pushes.items()]
        rows += [("RSS at the start", f"{start:,} KiB"), ("RSS settled", f"{settled:,} KiB"), ("RSS at the end", f"{end:,} KiB")]
        rows += [(f"decisions, {source}", f"{number:,}") for source, number in sorted(self.sources.items())]
        rows += [("failures of the filter's", len(self.failures))]
        return "\n".join(["| | |", "|---|--:|", *(f"| {name} | {value} |" for name, value in rows)])


def soak(seconds, version=None, seed=7, tell=print):
    """The report of this many seconds."""
    version = version or newest()
    rng = random.Random(seed)
    report = Report(version)
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="canary-soak-")))
        failing = {name: stack.enter_context(Upstream([name])) for name in ("errors", "resets", "slow")}
        failing["errors"].answer = Answer(500)
        failing["resets"].answer = Answer(fault="reset")
        failing["slow"].answer = Answer(fault="hang")
        plugin = Plugin("istio-system.canary", directory)
        plugin.write(config(LEVELS[0], []))
        clusters = [cluster(name, upstream.ports[name]) for name, upstream in failing.items()]
        clusters.append(cluster("dead", 1))
        apps, their_clusters = echo_apps(directory)
        clusters += their_clusters
        routes = [route(path[1:], path) for path in FAILURES if path != "/slow"]
        routes.append(route({"route": {"cluster": "slow", "timeout": "0.1s"}}, "/slow"))
        manager = connection_manager("http", [plugin.filter()], [*routes, *subset_routes()])
        envoy = stack.enter_context(Envoy(version, bootstrap([listener("http", manager), *apps], clusters), concurrency=2))
        port = envoy.port("http")

        in_force = InForce(LEVELS[0])
        loads = {
            "visitors": Load(port, in_force, Crowd([Visitor(cookie) for cookie in visitors(2048)], seed).batch, 2),
            "users": Load(
                port, in_force, Crowd([Visitor(("x-user-id", f"user-{n}")) for n in range(2048)], seed).batch, 1
            ),
            "newcomers": Load(port, in_force, Newcomers([], seed).batch, 1),
            "failing applications": Load(port, in_force, failing_batch, 1),
        }
        hostile = Hostile(port, seed)
        started = time.monotonic()
        first = rss(envoy)
        for load in loads.values():
            stack.enter_context(load)
        hostile.start()

        good = bad = 0
        settled, next_word = first, started + 30
        while (passed := time.monotonic() - started) < seconds:
            weight, others = rng.choice(LEVELS), rng.sample(range(20), rng.randrange(20))
            if rng.random() < 0.1:
                # A typo: the rule keeps its last good weight, the others take effect.
                plugin.update(envoy, config(weight, others, broken=True))
                bad += 1
            else:
                in_force.push(weight, lambda: plugin.update(envoy, config(weight, others)))
                good += 1
            if passed < SETTLED * seconds:
                settled = max(settled, rss(envoy))
            if tell and time.monotonic() > next_word:
                next_word += 30
                requests = hostile.requests + sum(load.requests for load in loads.values())
                tell(f"{passed:.0f} s: {requests:,} requests, {good + bad:,} pushes, RSS {rss(envoy):,} KiB", flush=True)
            hostile.stop.wait(PAUSE)  # nobody sets it before the end
        hostile.stop.set()
        hostile.join()
        for load in loads.values():
            load.__exit__()
        report.seconds = time.monotonic() - started
        report.memory = (first, settled, rss(envoy))

        report.requests = {kind: load.requests for kind, load in loads.items()} | {"hostile clients": hostile.requests}
        report.pushes = {"good": good, "bad": bad}
        report.failures = [fault for load in loads.values() for fault in load.faults] + hostile.faults
        report.failures += judge(envoy, report, envoy.errors(plugin))
        for name, value in envoy.stats("wasmcustom.rule=").items():
            if name.endswith("canary_requests_total"):
                source = name.split("source=.=")[1].split(";")[0]
                report.sources[source] = report.sources.get(source, 0) + value
        return report


def failing_batch(_thread):
    def expect(status):
        def problem(response, weights):
            # The application's failure comes through as it is, and the newcomer gets the cookie all the same.
            return cookies_problem(response, weights) if response.status == status else f"not {status}"

        return problem

    return [(request_bytes(path=path), expect(status)) for path, status in FAILURES.items() for _ in range(4)]


def judge(envoy, report, errors):
    """What is wrong apart from the responses."""
    wrong = []
    bad, told = report.pushes["bad"], metrics.faults(envoy)
    if not len(errors) == told == bad:
        wrong.append(f"{bad} faults were pushed, {len(errors)} are in the log, {told} in the counter")
    wrong += [f"log: {text}" for text in errors if "rule httpbin keeps its last good version" not in text]
    wrong += [f"log: {entry}" for entry in envoy.crashes()]
    if metrics.vms(envoy) != 4:
        wrong.append("a VM was lost")
    requests, responses = metrics.counted(envoy)
    if requests != responses:
        wrong.append(f"{requests} requests and {responses} responses were counted")
    _, settled, end = report.memory
    if end > settled * GROWTH:
        wrong.append(f"memory grows: {settled} to {end} KiB")
    return wrong


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600
    report = soak(seconds)
    print(report.table())
    for failure in report.failures[:20]:
        print(failure, file=sys.stderr)
    sys.exit(bool(report.failures))


if __name__ == "__main__":
    main()

"""What a config costs where it is loaded: start, push, memory.

    python tests/bench/loading.py [RULES]      # default 10,000

A push passes through three VMs, one after the other: one that is thrown away and the main thread's own, both on the main thread, which
serves nobody; then that of each worker, which serves nobody meanwhile.
"""

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[0] / "envoy"))

from gateway import Envoy, Failed, Plugin, bootstrap, connection_manager, listener, newest, route  # noqa: E402
from load import rss  # noqa: E402

PUSHES = 7


def rule(n, weight, **match):
    split = [{"subset": "v1", "weight": 100}, {"subset": "v2", "weight": weight}]
    match = match or {"uri": {"prefix": "/a"}}
    return {"hosts": [f"h{n}.example.com"], "match": [match, {"headers": {"x-a": {"exact": "b"}}}], "name": f"r{n}", "split": split}


# What a push changes → the rules of each version. Fields are in the order in which Istio writes them.
KINDS = {
    "one rule": lambda rules, version: [rule(n, version if n == rules // 2 else 5) for n in range(rules)],
    "every rule": lambda rules, version: [rule(n, version) for n in range(rules)],
    "every rule, each with a regex of its own": lambda rules, version: [
        rule(n, version, uri={"regex": f"/shop/{n}/[a-z]+"}) for n in range(rules)
    ],
}


@dataclass
class Loading:
    """In seconds and bytes."""

    start: float  # until Envoy is live, beyond one without the filter
    push: float  # until it is in force everywhere
    main: float  # CPU of the main thread for it
    worker: float  # CPU of a worker
    memory: float  # what a VM adds


def threads(envoy):
    """Envoy's threads by their names."""
    tasks = Path(f"/proc/{envoy.process.pid}/task").iterdir()
    return {(task / "comm").read_text().strip(): task / "schedstat" for task in tasks}


def worker(envoy):
    """The schedstat of the one thread that serves."""
    for name, schedstat in threads(envoy).items():
        if name.startswith("wrk:"):
            return schedstat
    raise Failed("Envoy has no worker")


def cpu(schedstat):
    """Nanoseconds of CPU that a thread has taken."""
    return int(schedstat.read_text().split()[0])


def loading(rules, kind="every rule"):
    def config(version):
        return {"rules": KINDS[kind](rules, version)}

    routes = [route({"direct_response": {"status": 200}})]
    with tempfile.TemporaryDirectory(prefix="canary-loading-") as directory:
        plugin = Plugin("bench.loading", directory)
        started, memory, pushes = {}, {}, []
        for name, filters in (("bare", []), ("ours", [plugin.filter()])):
            plugin.write(config(0))
            begin = time.monotonic()
            with Envoy(newest(), bootstrap([listener("l", connection_manager("l", filters, routes))]), concurrency=1) as envoy:
                envoy.port("l")
                started[name] = time.monotonic() - begin
                clocks = [Path(f"/proc/{envoy.process.pid}/schedstat"), worker(envoy)]
                for version in range(1, PUSHES + 1 if filters else 1):
                    before, begin = [cpu(clock) for clock in clocks], time.monotonic()
                    plugin.update(envoy, config(version))
                    push = time.monotonic() - begin
                    pushes.append((push, *((cpu(clock) - then) / 1e9 for clock, then in zip(clocks, before))))
                memory[name] = rss(envoy)
                vms = envoy.stat("wasm.wasm_vm_count")
        push, main, worker_cpu = (statistics.median(column) for column in zip(*pushes))
        return Loading(started["ours"] - started["bare"], push, main, worker_cpu, (memory["ours"] - memory["bare"]) * 1024 / vms)


def table(sizes):
    """(rules, what a push changes) → a row each."""
    head = ["rules", "a push changes", "start", "push to effect", "of a worker's time", "of the main thread's", "memory of a VM"]
    rows = [f"| {' | '.join(head)} |", "|--:|---|" + "--:|" * 5]
    for rules, kind in sizes:
        cost = loading(rules, kind)
        times = [f"{seconds * 1000:.0f} ms" for seconds in (cost.start, cost.push, cost.worker, cost.main)]
        rows.append(f"| {rules:,} | {kind} | {' | '.join(times)} | {cost.memory / 1048576:.1f} MiB |")
    return "\n".join(rows)


def main():
    rules = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(table((rules, kind) for kind in KINDS))


if __name__ == "__main__":
    main()

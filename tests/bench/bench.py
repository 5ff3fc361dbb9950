"""What the filter costs a request, beside what people would use instead: one stock Envoy, one worker on one core, the client on
another, short rounds in turns. The figure is CPU of the worker per request, *added* to the bare Envoy of the same round.

    python tests/bench/bench.py [ROUNDS] [--write]      # default 41; --write puts table and plot into the repository
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[0] / "envoy"))

from client import request_bytes  # noqa: E402
from cookies import minute  # noqa: E402
from gateway import EXTENSIONS, Envoy, Failed, Plugin, bootstrap, connection_manager, header_match, listener, newest, route  # noqa: E402
from load import rss  # noqa: E402
from repository import ROOT  # noqa: E402

REQUESTS = 3000  # in a round, over
CONNECTIONS = 8
WARM = 5000  # requests until V8 has compiled what is hot
NOISE = 1.15
BY_HAND = 1.10
BUILT = ROOT / "target/bench/wasm32-wasip1/release"



@dataclass
class Case:
    name: str
    rules: list
    headers: list
    path: str
    lua: str
    job: str  # what the module that is written by hand is to do
    targets: dict  # what it is compared with → the greatest ratio


def cases():
    now = minute()
    for entry in yaml.safe_load((HERE / "cases.yaml").read_text()):
        other = json.dumps(entry.get("other"))
        others = [json.loads(other.replace("{n}", str(n))) for n in range(entry.get("others", 0))]
        headers = [(name, value.replace("{now}", now)) for name, value in entry.get("headers", {}).items()]
        targets = {other: entry[f"to{other.capitalize()}"] for other in ("empty", "lua", "weighted") if f"to{other.capitalize()}" in entry}
        yield Case(entry["name"], [*others, *entry["rules"]], headers, entry.get("path", "/"), entry.get("lua", ""), entry["job"], targets)


# ---- the gateway ----------------------------------------------------------------------------------------------------------


def ok(**match):
    return route({"direct_response": {"status": 200}}, **match)


ROUTES = [ok(headers=[header_match("x-canary-subset", exact="v2")]), ok()]


def lua(name):
    config = {"@type": f"{EXTENSIONS}filters.http.lua.v3.Lua", "default_source_code": {"filename": str(HERE / f"{name}.lua")}}
    return {"name": "envoy.filters.http.lua", "typed_config": config}


def variants(directory, all_cases):
    """(listener's name, filter), and the plugins' files."""
    found = {"bare": [], "lua-sticky": [lua("sticky")], "lua-weighted": [lua("weighted")]}

    def add(name, config, **wasm):
        plugin = Plugin(f"bench.{name}", directory, root_id=name, **wasm)
        plugin.write(config)
        found[name] = [plugin.filter()]

    add("empty", {}, wasm=BUILT / "empty.wasm")
    for case in all_cases:
        add(f"ours-{slug(case)}", {"rules": case.rules})
        add(f"byhand-{slug(case)}", {"job": case.job}, wasm=BUILT / "byhand.wasm")
    return found


def slug(case):
    return case.name.replace(" ", "-").replace(",", "")


def gateway(directory, all_cases):
    managers = {name: connection_manager(name, filters, ROUTES) for name, filters in variants(directory, all_cases).items()}
    listeners = [listener(name, manager) for name, manager in managers.items()]
    return Envoy(newest(), bootstrap(listeners, []), concurrency=1)


def worker(envoy):
    """The schedstat of the one thread that serves."""
    for task in Path(f"/proc/{envoy.process.pid}/task").iterdir():
        if (task / "comm").read_text().startswith("wrk:"):
            return task / "schedstat"
    raise Failed("Envoy has no worker")


def pin(envoy):
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Failed("one core for the gateway and one for the client are needed")
    for task in Path(f"/proc/{envoy.process.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {cores[0]})
    os.sched_setaffinity(0, {cores[1]})


# ---- rounds -----------------------------------------------------------------------------------------------------------------


class Client:
    """Keep-alive connections to one listener."""

    def __init__(self, port):
        self.sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
        for each in self.sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, request, requests):
        """One request at a time on each connection; a response without a body ends with the empty line."""
        for _ in range(requests // CONNECTIONS):
            for each in self.sockets:
                each.sendall(request)
            for each in self.sockets:
                self._receive(each)

    def ask(self, request):
        self.sockets[0].sendall(request)
        return self._receive(self.sockets[0])

    @staticmethod
    def _receive(each):
        response = each.recv(65536)
        if not (response.startswith(b"HTTP/1.1 200 OK\r\n") and response.endswith(b"\r\n\r\n")):
            raise Failed(f"not a whole response: {response[:300]}")
        return response


def check(case, responses):
    """Who is to set a cookie does, and nobody else."""
    for variant, response in responses.items():
        expected = case.job == "sticky" and not case.headers and variant not in ("bare", "empty")
        if (b"set-cookie: canary-httpbin=1." in response) != expected:
            raise Failed(f"{case.name}, {variant}: {response}")


def measure(clients, schedstat, listener_name, request):
    """Nanoseconds of the worker's CPU per request."""
    before = int(schedstat.read_text().split()[0])
    clients[listener_name].run(request, REQUESTS)
    return (int(schedstat.read_text().split()[0]) - before) / REQUESTS


@dataclass
class Result:
    case: Case
    added: dict  # variant → nanoseconds added to bare, a figure for each round

    def median(self, variant):
        return statistics.median(self.added[variant]) / 1000

    def quartiles(self, variant):
        low, _, high = statistics.quantiles(self.added[variant], n=4)
        return low / 1000, high / 1000

    def ratio(self, variant):
        return self.median("ours") / self.median(variant) if variant in self.added else None


def run(rounds):
    all_cases = list(cases())
    results, bare = [], []
    with tempfile.TemporaryDirectory(prefix="canary-bench-") as directory, gateway(Path(directory), all_cases) as envoy:
        names = ["bare", "empty", "lua-sticky", "lua-weighted"]
        names += [f"{variant}-{slug(case)}" for case in all_cases for variant in ("ours", "byhand")]
        clients = {name: Client(envoy.port(name)) for name in names}
        schedstat = worker(envoy)
        pin(envoy)
        for case in all_cases:
            request = request_bytes(path=case.path, headers=case.headers)
            who = {"bare": "bare", "empty": "empty", "byhand": f"byhand-{slug(case)}", "ours": f"ours-{slug(case)}"}
            if case.lua:
                who["lua"] = f"lua-{case.lua}"
            for name in who.values():
                clients[name].run(request, WARM)
            check(case, {variant: clients[name].ask(request) for variant, name in who.items()})
            added = {variant: [] for variant in who if variant != "bare"}
            for round in range(rounds):
                order = list(who)[round % len(who) :] + list(who)[: round % len(who)]
                cost = {variant: measure(clients, schedstat, who[variant], request) for variant in order}
                bare.append(cost["bare"])
                for variant in added:
                    added[variant].append(cost[variant] - cost["bare"])
            results.append(Result(case, added))
            print(f"{case.name}: {results[-1].median('ours'):.1f} µs", file=sys.stderr, flush=True)
    return results, statistics.median(bare) / 1000


# ---- loading ----------------------------------------------------------------------------------------------------------------


def loading(rules, pushes=5):
    """(seconds until Envoy is live beyond one without the filter, seconds from a push to its effect, KiB that a VM grows by a rule)."""

    def config(version):
        split = [{"subset": "v1", "weight": 100}, {"subset": "v2", "weight": version}]
        match = [{"uri": {"prefix": "/a"}}, {"headers": {"x-a": {"exact": "b"}}}]
        return {"rules": [{"name": f"r{n}", "hosts": [f"h{n}.example.com"], "match": match, "split": split} for n in range(rules)]}

    with tempfile.TemporaryDirectory(prefix="canary-bench-") as directory:
        plugin = Plugin("bench.loading", directory)
        started, memory = {}, {}
        for name, filters in (("bare", []), ("ours", [plugin.filter()])):
            plugin.write(config(0))
            begin = time.monotonic()
            with Envoy(newest(), bootstrap([listener("l", connection_manager("l", filters, ROUTES))]), concurrency=1) as envoy:
                envoy.port("l")
                started[name] = time.monotonic() - begin
                pushed = []
                for version in range(1, pushes + 1 if filters else 1):
                    begin = time.monotonic()
                    plugin.update(envoy, config(version))
                    pushed.append(time.monotonic() - begin)
                memory[name] = rss(envoy)
                vms = envoy.stat("wasm.wasm_vm_count")
        return started["ours"] - started["bare"], statistics.median(pushed), (memory["ours"] - memory["bare"]) / vms


def loading_table():
    rows = ["| rules | start | push to effect | memory of a VM |", "|--:|--:|--:|--:|"]
    for rules in (1, 10_000):
        start, push, memory = loading(rules)
        rows.append(f"| {rules:,} | {start * 1000:.0f} ms | {push * 1000:.0f} ms | {memory / 1024:.1f} MiB |")
    return "\n".join(rows)


# ---- what it says ---------------------------------------------------------------------------------------------------------------


def cell(result, variant):
    if variant not in result.added:
        return ""
    return "{:.1f} ({:.1f}–{:.1f})".format(result.median(variant), *result.quartiles(variant))


def table(results):
    variants = {"empty": "empty SDK module", "byhand": "by hand, no SDK", "lua": "Lua"}
    rows = [f"| case | ours | {' | '.join(variants.values())} | ours / empty | ours / by hand | ours / Lua |", "|---|" + "--:|" * 7]
    for result in results:
        figures = [cell(result, variant) for variant in ("ours", *variants)]
        ratios = [f"{result.ratio(variant):.2f}" if variant in result.added else "" for variant in variants]
        rows.append(f"| {result.case.name} | {' | '.join(figures + ratios)} |")
    return "\n".join(rows)


def missed(results):
    by_name = {result.case.name: result for result in results}
    for result in results:
        for other, target in result.case.targets.items():
            ratio = result.ratio(other)
            if other == "weighted":
                ratio = result.median("ours") / by_name["weighted"].median("ours")
            # Nobody has to be faster than what is written by hand.
            if ratio > target * NOISE and (other == "weighted" or result.ratio("byhand") > BY_HAND * NOISE):
                yield f"{result.case.name} to {other}: {ratio:.2f}, not ≤ {target}"


def plot(results):
    """Bars, as SVG."""
    colours = {"ours": "#1f77b4", "byhand": "#9ecae1", "empty": "#b0b0b0", "lua": "#d98c3f"}
    scale = 500 / max(result.median(variant) for result in results for variant in result.added)
    parts, y = [], 40
    for result in results:
        parts.append(f'<text x="170" y="{y + 14}" text-anchor="end">{result.case.name}</text>')
        for variant, colour in colours.items():
            if variant in result.added:
                width = max(1, result.median(variant) * scale)
                parts.append(f'<rect x="180" y="{y}" width="{width:.0f}" height="12" fill="{colour}"/>')
                parts.append(f'<text x="{186 + width:.0f}" y="{y + 10}" font-size="10">{result.median(variant):.1f}</text>')
                y += 14
        y += 10
    legend = "".join(
        f'<rect x="{180 + 140 * at}" y="12" width="12" height="12" fill="{colour}"/><text x="{198 + 140 * at}" y="22">{name}</text>'
        for at, (name, colour) in enumerate(zip(["canary-split", "by hand, no SDK", "empty SDK module", "Lua filter"], colours.values()))
    )
    style = 'font-family="sans-serif" font-size="12"'
    text = f'<text x="180" y="{y + 12}">µs of CPU added to a request</text>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{y + 24}" {style}><rect width="100%" height="100%" fill="white"/>{legend}{"".join(parts)}{text}</svg>\n'


def build():
    command = ["cargo", "build", "--quiet", "--locked", "--release", "--target", "wasm32-wasip1", "--target-dir", ROOT / "target/bench"]
    for module in ("empty", "byhand"):
        subprocess.run([*command, "--manifest-path", HERE / module / "Cargo.toml"], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=41)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    build()
    results, bare = run(arguments.rounds)
    where = f"Envoy {newest()}, {platform.machine()}, {os.cpu_count()} cores, {arguments.rounds} rounds of {REQUESTS:,} requests"
    text = f"{table(results)}\n\n{where}; bare Envoy: {bare:.1f} µs a request. Medians of µs added, with quartiles.\n\n{loading_table()}"
    print(text)
    for line in missed(results):
        print(f"missed: {line}")
    if arguments.write:
        (ROOT / "docs/bench.svg").write_text(plot(results))
        readme = ROOT / "README.md"
        before, rest = readme.read_text().split("<!-- make bench -->\n")[:1], readme.read_text().split("<!-- make bench -->\n")[-1]
        readme.write_text(f"{before[0]}<!-- make bench -->\n{text}\n<!-- make bench -->\n{rest}")


if __name__ == "__main__":
    main()

"""What the filter costs a request, next to the alternatives: one stock Envoy, one worker on one core, the client on
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
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[0] / "envoy"))

from client import request_bytes  # noqa: E402
from cookies import minute  # noqa: E402
from certificates import issue  # noqa: E402
from gateway import (  # noqa: E402
    EXTENSIONS,
    Envoy,
    Failed,
    Plugin,
    bootstrap,
    connection_manager,
    echo_apps,
    header_match,
    listener,
    newest,
    route,
    subset_routes,
)
from http2 import Http2Client, block  # noqa: E402
from loading import cpu, worker  # noqa: E402
from loading import table as loading_table  # noqa: E402
from repository import ROOT  # noqa: E402

REQUESTS = 3000  # in a round, over
CONNECTIONS = 8
WARM = 5000  # requests until V8 has compiled what is hot
NOISE = 1.15
BY_HAND = 1.10
BUILT = ROOT / "target/bench/wasm32-wasip1/release"
# The cases that are measured in a whole gateway too.
THROUGH = ["other host", "weighted", "new visitor", "returning visitor"]


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
    """What answers by itself, and `through-…`: what speaks TLS and asks an application, which is another process."""
    found = variants(directory, all_cases)
    listeners = [listener(name, connection_manager(name, filters, ROUTES)) for name, filters in found.items()]
    certificate = issue(directory, "canary.example.com")
    for name in ["bare", *(f"ours-{slug(case)}" for case in all_cases if case.name in THROUGH)]:
        manager = connection_manager(f"through-{name}", found[name], subset_routes())
        listeners.append(listener(f"through-{name}", manager, certificate))
    apps, clusters = echo_apps(directory)
    return Envoy(newest(), bootstrap(apps), concurrency=1), Envoy(newest(), bootstrap(listeners, clusters), concurrency=1)


def pin(envoy, application):
    """The gateway to one core, and to another who asks and who answers."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Failed("one core for the gateway and one for the client are needed")
    for process, core in ((envoy, cores[0]), (application, cores[1])):
        for task in Path(f"/proc/{process.process.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})
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
    before = cpu(schedstat)
    clients[listener_name].run(request, REQUESTS)
    return (cpu(schedstat) - before) / REQUESTS


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


@dataclass
class Share:
    """What part of a gateway's request the filter is."""

    case: Case
    protocol: str
    bare: list  # nanoseconds without the filter, a figure for each round
    ours: list  # and with it

    def row(self):
        bare, ours = (statistics.median(figures) / 1000 for figures in (self.bare, self.ours))
        shares = [100 * (ours - bare) / ours for bare, ours in zip(self.bare, self.ours)]
        low, middle, high = statistics.quantiles(shares, n=4)
        return f"| {self.case.name} | {self.protocol} | {bare:.1f} | {ours:.1f} | {middle:.0f} % ({low:.0f}–{high:.0f}) |"


def share(envoy, schedstat, case, rounds):
    """Through an application, over each protocol: rounds without and with the filter in turns."""
    names = ["through-bare", f"through-ours-{slug(case)}"]
    http1 = {name: Client(envoy.port(name)) for name in names}
    http2 = {name: Http2Client(envoy.port(name), CONNECTIONS) for name in names}
    for protocol, clients, request in (
        ("HTTP/1.1", http1, request_bytes(path=case.path, headers=case.headers)),
        ("HTTP/2, TLS", http2, block(case.path, case.headers)),
    ):
        for name in names:
            clients[name].run(request, WARM)
        costs = {name: [] for name in names}
        for round in range(rounds):
            for name in names if round % 2 else reversed(names):
                costs[name].append(measure(clients, schedstat, name, request))
        yield Share(case, protocol, *costs.values())


def run(rounds):
    all_cases = list(cases())
    results, bare, shares = [], [], []
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="canary-bench-"))
        application, envoy = gateway(Path(directory), all_cases)
        stack.enter_context(application)
        stack.enter_context(envoy)
        names = ["bare", "empty", "lua-sticky", "lua-weighted"]
        names += [f"{variant}-{slug(case)}" for case in all_cases for variant in ("ours", "byhand")]
        clients = {name: Client(envoy.port(name)) for name in names}
        schedstat = worker(envoy)
        pin(envoy, application)
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
        for case in all_cases:
            if case.name in THROUGH:
                shares += share(envoy, schedstat, case, rounds)
                print(shares[-1].row(), file=sys.stderr, flush=True)
    return results, statistics.median(bare) / 1000, shares


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


def share_table(shares):
    head = ["case", "over", "a request without the filter", "with it", "share of the filter"]
    return "\n".join([f"| {' | '.join(head)} |", "|---|---|--:|--:|--:|", *(each.row() for each in shares)])


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
    results, bare, shares = run(arguments.rounds)
    where = f"Envoy {newest()}, {platform.machine()}, {os.cpu_count()} cores, {arguments.rounds} rounds of {REQUESTS:,} requests"
    loading = loading_table([(1, "every rule"), (10_000, "one rule"), (10_000, "every rule")])
    text = f"""{table(results)}

{where}; bare Envoy: {bare:.1f} µs a request. Medians of µs added, with quartiles.

{share_table(shares)}

The same run, through an application behind the gateway: medians of µs of the worker's CPU; the share with quartiles.

{loading}"""
    print(text)
    for line in missed(results):
        print(f"missed: {line}")
    if arguments.write:
        (ROOT / "docs/bench.svg").write_text(plot(results))
        page = ROOT / "docs/performance.md"
        mark = "<!-- make bench -->\n"
        before, _, after = page.read_text().split(mark)
        page.write_text(f"{before}{mark}{text}\n{mark}{after}")


if __name__ == "__main__":
    main()

"""What a regex costs: CPU of Envoy's one worker for a header of 57,000 bytes, in Envoy's own route (RE2) and in the filter.

    python tests/bench/regexes.py [--before MODULE] [--write]     # another build of the module as a column; the table into docs/regex.md

Each figure is what the regex adds to the same request with a prefix in its place that does not match. `first` is a value that
the regex sees for the first time: what it has to learn for this value is learned then. All others are what is left after that.
"""

import argparse
import os
import platform
import random
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml
from bench import HERE, pin, worker
from client import Connection, request_bytes
from gateway import Envoy, Plugin, bootstrap, connection_manager, header_match, listener, newest, route
from repository import ROOT

LENGTH = 57_000
FIRSTS = 5  # how often a regex is made afresh
ROUNDS = 9
WORTH_MEASURING = 3_000_000  # nanoseconds: what is cheaper is sent several times in a round
FLOOR = 0.1  # milliseconds: below it, a ratio says nothing about anything
MOST_TIMES = 4


def regexes():
    chance = random.Random(1)
    for entry in yaml.safe_load((HERE / "regexes.yaml").read_text()):
        yield entry["regex"], value(entry, chance), entry.get("refused", False)


def value(entry, chance):
    begin, end = entry.get("begin", ""), entry.get("end", "")
    room = LENGTH - len((begin + end).encode())
    if fill := entry.get("fill"):
        middle = fill * (room // len(fill.encode()))
    else:
        middle = "".join(chance.choices(entry["any"], k=room))
    return (begin + middle + end).encode().decode("latin-1")


def hosts(number):
    return [f"h{number}-{first}.example.com" for first in range(FIRSTS)]


def answer(status, **more):
    return route({"direct_response": {"status": status}}, **more)


def virtual_host(name, matches):
    """Says by its status whether the value matched."""
    found = [answer(202, headers=[header]) for header in matches]
    return {"name": name, "domains": [name], "routes": [*found, answer(200)]}


def re2(patterns, match):
    def virtual(host, pattern):
        return virtual_host(host, [header_match("x-value", **match(pattern))])

    return [virtual(host, pattern) for number, pattern in enumerate(patterns) for host in hosts(number)]


def filtered(patterns, match):
    rules = []
    for number, pattern in enumerate(patterns):
        for first, host in enumerate(hosts(number)):
            condition = {"headers": {"x-value": match(pattern)}}
            rules.append({"name": f"r{number}-{first}", "hosts": [host], "match": [condition], "subset": "yes"})
    return {"rules": rules}


def prefix(_):
    return {"prefix": "\x7fnone"}


def manager(name, filters, virtual_hosts):
    config = {"name": name, "virtual_hosts": virtual_hosts, "validate_clusters": False}
    return connection_manager(name, filters, {"route_config": config}, max_request_headers_kb=96)


class Case:
    """One regex on one listener."""

    def __init__(self, connection, schedstat, number, text):
        self.connection, self.schedstat = connection, schedstat
        self.requests = [request_bytes(host=host, headers=[("x-value", text)]) for host in hosts(number)]

    def cost(self, request, times=1):
        """Nanoseconds."""
        before = self.now()
        for _ in range(times):
            self.connection.send(request)
            self.status = self.connection.response().status
        return (self.now() - before) / times

    def now(self):
        return int(self.schedstat.read_text().split()[0])

    def firsts(self):
        return [self.cost(request) for request in self.requests]


def measure(envoy, names, texts):
    """By listener and regex: (first, later) in nanoseconds, and whether it matched."""
    connections = {name: Connection(envoy.port(name)) for name in names}
    schedstat = worker(envoy)
    pin(envoy)
    measured = {}
    for name, connection in connections.items():
        # V8 compiles what is hot; the regexes of the last host are asked for that.
        for _ in range(300):
            Case(connection, schedstat, 0, "/warm").firsts()
    for number, text in enumerate(texts):
        cases = {name: Case(connection, schedstat, number, text) for name, connection in connections.items()}
        first = {name: statistics.median(case.firsts()) for name, case in cases.items()}
        later = {name: [] for name in names}
        for _ in range(ROUNDS):
            for name, case in cases.items():
                times = max(1, int(WORTH_MEASURING / max(first[name], 1)))
                later[name].append(case.cost(case.requests[0], min(times, 20)))
        for name, case in cases.items():
            measured[name, number] = first[name], statistics.median(later[name]), case.status
        print(f"{number + 1} of {len(texts)}", file=sys.stderr, flush=True)
    return measured


def run(before):
    patterns, texts, refused = zip(*regexes())
    modules = {"after": None} | ({"before": Path(before)} if before else {})
    with tempfile.TemporaryDirectory(prefix="canary-bench-") as directory:
        decided = [header_match("x-canary-subset", exact="yes")]
        ours = [virtual_host(host, decided) for number in range(len(patterns)) for host in hosts(number)]
        managers = {
            "re2": manager("re2", [], re2(patterns, lambda pattern: {"safe_regex": {"regex": pattern}})),
            "re2-none": manager("re2-none", [], re2(patterns, prefix)),
        }
        for module, wasm in modules.items():
            for name, match in ((module, lambda pattern: {"regex": pattern}), (f"{module}-none", prefix)):
                plugin = Plugin(f"bench.{name}", directory, root_id=name, **({"wasm": wasm} if wasm else {}))
                plugin.write(filtered(patterns, match))
                managers[name] = manager(name, [plugin.filter()], ours)
        config = bootstrap([listener(name, each) for name, each in managers.items()], [])
        # Istio lets regexes be as large.
        config["layered_runtime"] = {"layers": [{"name": "istio", "static_layer": {"re2.max_program_size.error_level": 32768}}]}
        with Envoy(newest(), config, concurrency=1) as envoy:
            measured = measure(envoy, list(managers), texts)
    return Measured(patterns, refused, list(modules), measured)


@dataclass
class Measured:
    patterns: list
    refused: list
    modules: list
    costs: dict  # (listener, regex) → (first, later, status)

    def milliseconds(self, name, number, at):
        # A prefix has nothing to learn: its first time is only less certain.
        none = self.costs[f"{name}-none", number][1]
        return max(0.0, self.costs[name, number][at] - none) / 1e6

    def ratio(self, number, at):
        return self.milliseconds("after", number, at) / max(FLOOR, self.milliseconds("re2", number, at))


def table(measured):
    names = ["re2", *(name for name in ("before", "after") if name in measured.modules)]
    titles = {"re2": "RE2", "before": "before", "after": "filter"}
    head = [f"{titles[name]}{what}" for what in (", first", "") for name in names]
    rows = [f"| regex | {' | '.join(head)} | ratio, first | ratio |", "|---|" + "--:|" * (len(head) + 2)]
    for number, pattern in enumerate(measured.patterns):
        is_refused = measured.refused[number]

        def cell(name, at):
            return "refused" if is_refused and name == "after" else f"{measured.milliseconds(name, number, at):.2f}"

        cells = [cell(name, at) for at in (0, 1) for name in names]
        ratios = ["" if is_refused else f"{measured.ratio(number, at):.1f}" for at in (0, 1)]
        shown = pattern if len(pattern) <= 60 else f"{pattern[:57]}…"
        written = shown.replace("|", "\\|")
        rows.append(f"| `{written}` | {' | '.join(cells + ratios)} |")
    return "\n".join(rows)


def missed(measured):
    for number, pattern in enumerate(measured.patterns):
        if measured.refused[number]:
            continue
        for at, what in enumerate(("first", "later")):
            if measured.ratio(number, at) > MOST_TIMES:
                yield f"{pattern}, {what}: {measured.ratio(number, at):.1f} × RE2"
        if measured.costs["re2", number][2] != measured.costs["after", number][2]:
            yield f"{pattern}: only one of the two matches"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="MODULE")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    measured = run(arguments.before)
    where = f"Envoy {newest()}, {platform.machine()}, {os.cpu_count()} cores; milliseconds of CPU for a value of {LENGTH:,} bytes"
    text = f"{table(measured)}\n\n{where}. Where RE2 takes less than {FLOOR} ms, the ratio is to {FLOOR} ms."
    print(text)
    for line in missed(measured):
        print(f"missed: {line}")
    if arguments.write:
        page = ROOT / "docs/regex.md"
        mark = "<!-- make bench-regex -->\n"
        before, _, after = page.read_text().split(mark)
        page.write_text(f"{before}{mark}{text}\n{mark}{after}")


if __name__ == "__main__":
    main()

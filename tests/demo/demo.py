"""A whole canary on this machine: a stock Envoy with the filter, v1, v2, and the manifests as they are shipped.

On a terminal it stays up; with DEMO_EXIT=1, or without a terminal, it ends by itself. The exit code is not zero if anything
that it shows is not as it should be.
"""

import asyncio
import contextlib
import copy
import datetime
import itertools
import json
import math
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import tornado.httpclient
import tornado.websocket
import yaml
from dashboard import Dashboard
from istio import NotUnderstood, config_text, envoy, render, translate

# isort: split
# What follows is found by what istio does to the path.
import certificates
from client import Closed, Connection, request_bytes
from discovery import publish, resource, source
from repository import ROOT, WASM
from yaml12 import Yaml

# Browsers and curl know that this is here; the shipped canary.example.com is a placeholder.
HOST = "canary.localhost"
PORTS = {"https": 8443, "http": 8080}
TITLES = {"v1": "httpbin.org", "v2": "tornado WebSocket example"}
VISITORS = 1000
WORKERS = 4
RATE = 200  # requests a second, where they are not as many as possible


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    stay = sys.stdin.isatty() and sys.stdout.isatty() and not os.environ.get("DEMO_EXIT")
    with contextlib.ExitStack() as stack:
        try:
            # Meanwhile: nobody waits for it who does not stay.
            build = stack.enter_context(Build()) if stay else None
            demo = Demo(stack)
            demo.show()
            if stay:
                with contextlib.suppress(KeyboardInterrupt):
                    demo.stay(build)
        except KeyboardInterrupt:
            return 130
        except (NotUnderstood, envoy.Failed, Closed, OSError, subprocess.SubprocessError) as error:
            print(f"\ndemo: {error}", file=sys.stderr)
            return 1
        finally:
            # A second Ctrl-C must not stop the tidying up.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
    return 1 if demo.wrong else 0


# ---- how it looks ----------------------------------------------------------------------------------------------------

TTY = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
UNICODE = "utf" in (sys.stdout.encoding or "").lower()
COLOURS = {"v1": "36", "v2": "33", "good": "32", "bad": "31", "bold": "1", "dim": "2"}
BAR, EMPTY, GOOD, BAD = ("█", "·", "✓", "✗") if UNICODE else ("#", ".", "ok", "WRONG")


def paint(text, colour):
    return f"\033[{COLOURS[colour]}m{text}\033[0m" if TTY else text


def say(text=""):
    print(text, flush=True)


def bars(counts, width=50):
    """One bar for each subset; the longest possible one is all of them."""
    total = sum(counts.values())
    for subset, count in counts.items():
        filled = round(width * count / total)
        bar = paint(BAR * filled, subset) + EMPTY * (width - filled)
        say(f"  {subset} {bar} {count:>5} of {total:,}  {100 * count / total:5.1f} %  {TITLES[subset]}")


# ---- the parts -------------------------------------------------------------------------------------------------------


class Demo:
    def __init__(self, stack):
        self.wrong = 0
        self.configuring = threading.Lock()
        self.told = []  # errors in the log that have to be there
        self.directory = Path(tempfile.mkdtemp(prefix="canary-demo-"))
        stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        if not WASM.exists():
            raise envoy.Failed(f"{WASM.relative_to(ROOT)} is missing; run make build")
        self.manifests = self.copy_manifests()
        self.apps = self.start_apps(stack)
        self.ports = {name: self.free_port(name, wanted) for name, wanted in PORTS.items()}
        self.start_gateway(stack)
        self.base = f"https://{HOST}:{self.ports['https']}"
        self.prepare_curl()

    def copy_manifests(self):
        """The shipped manifests with the one setting that a person would change: the host."""
        for name in ("manifests", "wasmplugin"):
            shutil.copytree(ROOT / name, self.directory / name, ignore=shutil.ignore_patterns("node_modules"))
        settings = self.directory / "manifests/settings/settings.yaml"
        text, found = re.subn(r"(?m)^(\s*host:) .*$", rf"\1 {HOST}", settings.read_text())
        if found != 1:
            raise NotUnderstood(f"{found} hosts in manifests/settings/settings.yaml")
        settings.write_text(text)
        overlays = self.directory / "manifests/overlays"
        self.objects = {path.name: render(path) for path in sorted(overlays.iterdir())}
        return {name: translate(objects) for name, objects in self.objects.items()}

    def start_apps(self, stack):
        log = stack.enter_context((self.directory / "apps.log").open("wb"))
        started = {}
        for app in TITLES:
            command = [sys.executable, ROOT / f"tests/apps/{app}.py"]
            process = envoy.spawn(command, log, subprocess.PIPE)
            stack.callback(process.stdout.close)
            stack.callback(envoy.end, process)
            started[app] = process
        self.v2 = started["v2"]
        ports = {}
        for app, process in started.items():
            # It says its port as soon as it can be reached.
            line = process.stdout.readline()
            if not line:
                raise envoy.Failed(f"{app} did not start:\n{(self.directory / 'apps.log').read_text()}")
            ports[app] = int(line)
        return ports

    @staticmethod
    def free_port(name, wanted):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
                return wanted
            except OSError:
                pass
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            other = probe.getsockname()[1]
        say(f"Port {wanted} ({name}) is taken; {other} is used.")
        return other

    def start_gateway(self, stack):
        first = self.manifests["weighted"]
        if any(
            (each.host, each.plugin, each.redirects) != (HOST, first.plugin, True) for each in self.manifests.values()
        ):
            raise NotUnderstood("the overlays differ in host, redirect or the plugin's name")
        certificate = certificates.issue(self.directory, HOST, "localhost", "127.0.0.1")

        self.plugin = envoy.Plugin(directory=self.directory, **first.plugin)
        self.routes_file = self.directory / "rds.json"
        self.routes = None
        by_file = {"rds": {"route_config_name": "https", "config_source": source(self.routes_file)}}
        redirect = {"redirect": {"https_redirect": True, "port_redirect": self.ports["https"]}}
        filters = [self.plugin.filter()]
        listeners = [
            envoy.listener(
                "https", envoy.connection_manager("https", filters, by_file), certificate, self.ports["https"]
            ),
            envoy.listener(
                "http", envoy.connection_manager("http", filters, [envoy.route(redirect)]), where=self.ports["http"]
            ),
        ]
        apps = {name: self.apps[app] for each in self.manifests.values() for name, app in each.clusters.items()}
        clusters = [envoy.cluster(name, port) for name, port in apps.items()]
        self.overlay = "weighted"
        self.write_routes(first)
        self.plugin.write(config_text(first.config))
        self.write_applied(first.config)
        self.gateway = envoy.Envoy(envoy.newest(), envoy.bootstrap(listeners, clusters), concurrency=2)
        stack.enter_context(self.gateway)

    def prepare_curl(self):
        """What curl must know: the authority that is trusted, and where the host is (older ones do not)."""
        ports = "".join(f'resolve = "{HOST}:{port}:127.0.0.1"\n' for port in self.ports.values())
        (self.directory / ".curlrc").write_text(f'cacert = "{self.directory / "ca.pem"}"\nnoproxy = "*"\n{ports}')

    # Applying manifests.

    def write_routes(self, manifests):
        routes = envoy.route_config("https", manifests.routes, [manifests.host])
        changed, self.routes = routes != self.routes, routes
        if changed:
            publish(self.routes_file, 1, resource("envoy.config.route.v3.RouteConfiguration", routes))
        return changed

    def apply(self, overlay):
        """What `kubectl apply -k` brings about: other routes, another config of the filter."""
        say(paint(f"  manifests/overlays/{overlay}", "dim"))
        stat = "http.https.rds.https.config_reload"
        before = self.gateway.stat(stat)
        if self.write_routes(self.manifests[overlay]):
            envoy.until(lambda: self.gateway.stat(stat) > before, self.gateway.explain("the routes"))
        self.overlay = overlay
        self.configure(self.manifests[overlay].config)

    def configure(self, config):
        with self.configuring:
            self.write_applied(config)
            self.plugin.update(self.gateway, config_text(config))

    def follow_applied(self):
        """Brings an edit of the file by somebody else to Envoy, as Istio does with an edit of the WasmPlugin."""
        with self.configuring:
            text = self.applied.read_text()
            if text != self.applied_text:
                self.applied_text = text
                (plugin,) = [each for each in yaml.load_all(text, Yaml) if each["kind"] == "WasmPlugin"]
                self.plugin.update(self.gateway, config_text(plugin["spec"]["pluginConfig"]))

    def write_applied(self, config):
        """What a cluster would have now, for the dashboard."""
        objects = copy.deepcopy(self.objects[self.overlay])
        (plugin,) = [each for each in objects if each["kind"] == "WasmPlugin"]
        plugin["spec"]["pluginConfig"] = config
        self.applied = self.directory / "applied.yaml"
        self.applied_text = yaml.safe_dump_all(objects, sort_keys=False)
        replace(self.applied, self.applied_text)

    # Showing and judging.

    def check(self, good, text):
        self.wrong += not good
        say("  " + (paint(GOOD, "good") if good else paint(BAD, "bad")) + f" {text}")

    def curl(self, *options, path="/", show=True):
        """Runs curl, and shows the command as a person would type it."""
        url = path if "://" in path else self.base + path
        shown = shlex.join(["curl", "-s", *options, url])
        if show:
            say(paint(f"  $ {shown}", "bold"))
        environment = {**os.environ, "CURL_HOME": str(self.directory)}
        command = ["curl", "-s", "-S", "--max-time", "60", *options, url]
        done = subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise envoy.Failed(f"{shown}: {done.stderr.strip()}")
        return done.stdout

    def check_share(self, counts, share):
        total = sum(counts.values())
        off = abs(counts["v2"] - total * share) / math.sqrt(total * share * (1 - share))
        self.check(off <= 5, f"v2 has {100 * share:.0f} % within 5 standard deviations (it is off by {off:.1f})")

    # What is shown.

    def show(self):
        say(paint("\nA stock Envoy, the filter, v1 (httpbin) and v2 (a Tornado websocket app)", "bold"))
        say(f"  Envoy {self.gateway.version}; {self.base}; the manifests with host: {HOST}")
        say(f"  For curl use this .curlrc: export CURL_HOME={self.directory}")
        steps = (
            self.https,
            self.ten_requests,
            self.thousand_requests,
            self.sticky_visitor,
            self.tester,
            self.websocket,
            self.move_weight,
            self.ramp,
            self.guard,
            self.sealed,
        )
        for number, step in enumerate(steps, 1):
            say(paint(f"\n{number}. {step.__doc__}", "bold"))
            step()
        say()
        self.check(
            not self.faults(),
            "neither Envoy nor the filter has complained" + "".join(f"\n    {f}" for f in self.faults()),
        )
        if self.wrong:
            say(paint(f"\n{self.wrong} of the things shown are not as they should be.", "bad"))
        else:
            say(paint("\nAll as it should be.", "good"))

    def faults(self):
        errors = [text for level, _, text in self.gateway.log() if level in ("error", "critical")]
        return [text for text in errors if text not in self.told]

    def https(self):
        """HTTP is redirected to HTTPS"""
        headers = self.curl("-I", path=f"http://{HOST}:{self.ports['http']}/")
        shown = [line for line in headers.splitlines() if re.match("HTTP|location|set-cookie", line, re.I)]
        say("".join(f"  {line}\n" for line in shown).rstrip())
        expected = ["HTTP/1.1 301 Moved Permanently", f"location: {self.base}/"]
        self.check(shown == expected, "301 to https, and no cookie yet")

    def ten_requests(self):
        """The ten requests of the tutorial: 80 % v1, 20 % v2, each drawn afresh"""
        self.apply("weighted")
        say(paint(f"  $ for i in $(seq 10); do curl -s {self.base}/ | grep '<title>'; done", "bold"))
        found = titles("".join(self.curl(show=False) for _ in range(10)))
        for title in found:
            subset = subset_of(title)
            say("  " + paint(f"<title>{title}</title>", subset or "bad"))
        self.check(
            len(found) == 10 and all(map(subset_of, found)),
            "ten pages (the numbers vary: about one run in ten shows no v2)",
        )

    def thousand_requests(self):
        """The same a thousand times"""
        found = [subset_of(title) for title in titles(self.curl("--fail", path="/?[1-1000]"))]
        counts = {subset: found.count(subset) for subset in TITLES}
        bars(counts)
        self.check(len(found) == 1000 == sum(counts.values()), "a thousand pages")
        self.check_share(counts, share_of(self.manifests["weighted"].config))

    def sticky_visitor(self):
        """A visitor with a cookie jar stays"""
        self.apply("sticky")
        homes = set()
        # Three at least, and more until somebody lives in v2: that there is none among thirty is one chance in a thousand.
        for number, visitor in enumerate("abcdefghijklmnopqrstuvwxyzABCD"):
            if number >= 3 and len(homes) == len(TITLES):
                break
            command = ["-c", f"jar-{visitor}", "-b", f"jar-{visitor}"]
            headers = self.curl(*command, "-D", "-", show=visitor == "a")
            cookies = re.findall(r"(?im)^set-cookie: (.*?)\r?$", headers)
            if visitor == "a":
                say(f"  set-cookie: {cookies[0] if cookies else None}")
            seen = [subset_of(title) for title in titles(headers)]
            for _ in range(9):
                page = self.curl(*command, "-D", "-", show=False)
                cookies += re.findall(r"(?im)^set-cookie: (.*?)\r?$", page)
                seen += [subset_of(title) for title in titles(page)]
            say(f"  visitor {visitor}: " + " ".join(paint(str(subset), subset or "bad") for subset in seen))
            self.check(
                len(seen) == 10 and len(set(seen)) == 1 and None not in seen and len(cookies) == 1,
                "ten visits, one version, one cookie",
            )
            homes |= set(seen)

    def tester(self):
        """A tester's header leads to v2 while its weight is 0"""
        self.apply("testers")
        seen = {}
        for who, options in (("anybody", ()), ("a tester", ("-H", self.tester_header()))):
            (title,) = titles(self.curl(*options)) or [None]
            say("  " + paint(f"<title>{title}</title>", subset_of(title) or "bad"))
            seen[who] = subset_of(title)
        self.check(seen == {"anybody": "v1", "a tester": "v2"}, "anybody sees v1, a tester v2")

    def tester_header(self):
        """The secret in the shipped overlay."""
        rule = self.manifests["testers"].config["rules"][0]
        ((name, value),) = rule["match"][0]["headers"].items()
        return f"{name}: {value['exact']}"

    def websocket(self):
        """A websocket through v2"""
        said = "hello from a tester"
        name, _, value = self.tester_header().partition(": ")
        heard = asyncio.run(self.echo({"Host": f"{HOST}:{self.ports['https']}", name: value}, said))
        say(f"  wss://{HOST}:{self.ports['https']}/ws")
        say(f"  > {said}\n  < {heard}")
        self.check(heard == said, "what was sent came back")

    async def echo(self, headers, text):
        url = f"wss://127.0.0.1:{self.ports['https']}/ws"
        authority = str(self.directory / "ca.pem")
        request = tornado.httpclient.HTTPRequest(url, headers=headers, ca_certs=authority, connect_timeout=10)
        try:
            connection = await asyncio.wait_for(tornado.websocket.websocket_connect(request), 10)
            await connection.write_message(text)
            heard = await asyncio.wait_for(connection.read_message(), 10)
            connection.close()
            return heard
        except (tornado.httpclient.HTTPError, tornado.websocket.WebSocketError, asyncio.TimeoutError) as error:
            return f"({error!r})"

    def move_weight(self):
        """80/20 becomes 50/50 while a thousand visitors keep clicking"""
        self.apply("sticky")
        config = self.manifests["sticky"].config
        crowd = Crowd(self.ports["https"])
        crowd.arrive()
        arrived = dict(crowd.homes)
        with crowd:
            crowd.all_click()
            before = dict(crowd.homes)
            say("  before:")
            bars(count(before))
            wide = weighted(config, 50)
            say(paint("  weight: 20 -> 50, and v1's 80 -> 50", "bold"))
            self.configure(wide)
            crowd.all_click()
        after = dict(crowd.homes)
        say("  after:")
        bars(count(after))
        moves = [(before[visitor], after[visitor]) for visitor in after if before[visitor] != after[visitor]]
        least = count(after)["v2"] - count(before)["v2"]
        moved = f"{len(moves)} of {VISITORS:,} visitors moved, the least possible is {least}"
        say(f"  {crowd.requests:,} requests, {len(crowd.faults)} failed; {moved}")
        for fault in crowd.faults[:3]:
            say(f"    {fault}")
        self.check(not crowd.faults, "no request failed")
        once = all(changes == 1 for changes in crowd.changes.values())
        self.check(before == arrived and once, "nobody changed sides but by the change of the weight")
        self.check(set(moves) == {("v1", "v2")} and len(moves) == least, "only from v1 to v2, and nobody without need")
        self.check_share(count(before), share_of(config))
        self.check_share(count(after), share_of(wide))
        self.visitor = next(cookie for cookie, home in after.items() if before[cookie] == home == "v1")

    def ramp(self):
        """The weights move by themselves: the ramp of the overlay, in seconds instead of hours"""
        self.apply("rollout")
        config = starting(self.manifests["rollout"].config, datetime.timedelta(seconds=1))
        steps = ramp_of(config)["steps"]
        for second, step in enumerate(steps):
            step["after"] = f"{second}s"
        plan = [step["weights"]["v2"] for step in steps]
        self.configure(config)
        seen = []
        weight = lambda: self.gateway.stat(stat_of_v2("config_weight"))

        def ended():
            now = weight()
            if not seen or seen[-1] != now:
                seen.append(now)
            return now == plan[-1]

        envoy.until(ended, lambda: f"the end of the ramp: {seen}")
        say("  v2: " + paint(", ".join(f"{now} %" for now in seen), "v2"))
        # A busy machine may miss one.
        self.check(len(seen) > 2 and seen == sorted(set(seen)) and set(seen) <= {0, *plan}, "as planned, and no push")

    def guard(self):
        """v2 begins to fail while visitors click, and leaves by itself"""
        # The third step.
        config = starting(self.manifests["rollout"].config, -datetime.timedelta(hours=4))
        weights = ramp_of(config)["steps"][2]["weights"]
        say(f"  start: {ramp_of(config)['start']}, four hours ago: v1 {weights['v1']}, v2 {weights['v2']}")
        self.configure(config)
        crowd = PacedCrowd(self.ports["https"])
        crowd.arrive()
        of_v2 = [visitor for visitor, home in crowd.homes.items() if home == "v2"]
        log = self.gateway.log_size()
        with crowd:
            crowd.click_on(RATE // 2)
            before = len(crowd.failed)
            say(paint(f"  from now on v2 answers 500; {RATE} requests a second", "bold"))
            self.v2.send_signal(signal.SIGUSR1)
            envoy.until(lambda: self.gateway.stat(stat_of_v2("tripped")), self.gateway.explain("a trip"))
            # The other worker knows it within a second: until then somebody may meet one more error.
            envoy.until(crowd.is_served, self.gateway.explain("everybody served"), 60)
        self.v2.send_signal(signal.SIGUSR1)
        hurt = {visitor for _, visitor in crowd.failed}
        times = [when for when, _ in crowd.failed]
        lasted = max(times, default=0) - min(times, default=0)
        say(f"  {len(hurt)} of the {len(of_v2)} visitors of v2 met an error, in {len(times)} requests within {lasted:.1f} s")
        self.told = [text for level, _, text in self.gateway.log(log) if level == "error" and "visitors that failed" in text]
        for line in self.told:
            say(paint(f"  {line}", "bad"))
        expected = (
            r"wasm log canary-split: rule httpbin: v2 fails and is removed, v1 gets its share until the rule is edited: "
            rf"\d+ of the \d+ visitors that failed in the last \d+ s had v2, expected {weights['v2']} %"
        )
        self.check(len(self.told) == 1 and re.fullmatch(expected, self.told[0]), "the gateway's log says so, once")
        self.check(not crowd.faults and before == 0 and 0 < lasted < 10, "no error before, and none after some seconds")
        self.check(set(crowd.homes.values()) == {"v1"}, "everybody has come again since, and is in v1")

    def sealed(self):
        """Sealed: nobody can ask for a version, and no application sees the header"""
        self.apply("sealed")
        header = self.manifests["sealed"].config.get("header", envoy.HEADER)
        headers = ["-H", f"{header}: v2", "-H", f"cookie: {self.visitor}"]
        seen = json.loads(self.curl(*headers, path="/headers"))["headers"]
        names = {name.lower() for name in seen}
        say(f"  v1 saw the headers {', '.join(sorted(seen))}")
        self.check(header not in names, f"a visitor of v1 stays there, and {header} is not among its headers")

    # A person may look round.

    def stay(self, build):
        self.apply("sticky")
        config = guarded(self.manifests["sticky"].config)
        self.configure(config)
        with contextlib.ExitStack() as stack:
            dots = Dots(self.ports["https"], self.directory / "visitors")
            dots.arrive()
            stack.enter_context(dots)
            stack.enter_context(Following(self))
            stack.enter_context(self.page(build, dots))
            self.ask_for_weights(config)

    @contextlib.contextmanager
    def page(self, build, dots):
        """The dashboard with the visitors as dots, as soon as the tool is built."""
        with contextlib.ExitStack() as stack:

            def open_page():
                if not build.is_good():
                    if not build.is_stopped:
                        say(f"\n  The page is missing, because the tool could not be built:\n{build.told()}")
                    return
                button = f"Let v2 fail, or work again=kill -USR1 {self.v2.pid}"
                arguments = ("--write", "--visitors", dots.file, "--button", button)
                try:
                    page = stack.enter_context(Dashboard(self.applied, [self.gateway.admin_address], *arguments))
                except envoy.Failed as error:
                    say(f"\n  {error}")
                    return
                say(paint(f"\nLook at it, and move it: {page.url}", "bold"))
                say("  The hundred dots are visitors who keep clicking. Slide the weight of v2, or let it fail.")
                page.show()
                # To Linux the thread that starts a process is its parent.
                is_over.wait()

            is_over = threading.Event()
            if not build.is_done():
                say("\n  The page to look at is being built (first run only); it opens by itself.")
            opening = threading.Thread(target=open_page)
            opening.start()
            try:
                yield
            finally:
                build.stop()
                is_over.set()
                opening.join()

    def ask_for_weights(self, config):
        say(paint(f"\nIt is running: {self.base}/", "bold"))
        say("  The browser warns of the certificate, which was made for this demo. Delete the cookie to be drawn again.")
        say(f"  In another terminal: export CURL_HOME={self.directory}; curl {self.base}/")
        say(f"  Envoy: http://{self.gateway.admin_address}/stats?filter=canary")
        say("  Type a weight for v2 (0 to 100) to move traffic; Ctrl-C ends it.")
        for line in sys.stdin:
            weight = line.strip()
            if not (weight.isdecimal() and int(weight) <= 100):
                say("  a number from 0 to 100, please")
                continue
            self.configure(weighted(config, int(weight)))
            say(f"  v1 {100 - int(weight)}, v2 {int(weight)}")


def replace(file, text):
    """Writes a file at once: nobody reads half of it."""
    part = file.with_suffix(".part")
    part.write_text(text)
    part.replace(file)


def titles(pages):
    return re.findall(r"<title>(.*?)</title>", pages)


def subset_of(title):
    return next((subset for subset, known in TITLES.items() if known == title), None)


def count(homes):
    return {subset: list(homes.values()).count(subset) for subset in TITLES}


def split_of(config):
    (split,) = (rule["split"] for rule in config["rules"] if "split" in rule)
    return split


def ramp_of(config):
    (ramp,) = (rule["ramp"] for rule in config["rules"] if "ramp" in rule)
    return ramp


def starting(config, ahead):
    """The same config with a ramp that starts so far from now."""
    config = copy.deepcopy(config)
    start = datetime.datetime.now(datetime.timezone.utc) + ahead
    ramp_of(config)["start"] = start.strftime("%Y-%m-%dT%H:%M:%SZ")
    return config


def guarded(config):
    """The same config with a guard."""
    config = copy.deepcopy(config)
    (rule,) = [rule for rule in config["rules"] if "split" in rule]
    rule["guard"] = {}
    return config


def stat_of_v2(name):
    """As Envoy calls it."""
    return f"wasmcustom.rule=.=httpbin;.;subset=.=v2;.;canary_{name}"


def share_of(config):
    weights = {each["subset"]: each["weight"] for each in split_of(config)}
    return weights["v2"] / sum(weights.values())


def weighted(config, v2):
    """The same config with these weights."""
    config = copy.deepcopy(config)
    for each in split_of(config):
        each["weight"] = v2 if each["subset"] == "v2" else 100 - v2
    return config


class NoPage(envoy.Failed):
    """An answer that is no page of v1 or v2."""


class Crowd:
    """Visitors with a cookie each, who click without a pause; a few connections for all."""

    size = VISITORS

    def __init__(self, port):
        self.port = port
        self.homes = {}  # cookie → subset, as last seen
        self.faults = []
        self.requests = 0
        self.laps = [0] * WORKERS
        self.changes = {}  # cookie → how often it has changed sides
        self.stop = threading.Event()

    def arrive(self):
        with Connection(self.port, tls=True) as connection:
            for _ in range(self.size):
                home, response = self.click(connection, None)
                ((name, value),) = response.cookies().items()
                self.homes[f"{name}={value}"] = home

    def __enter__(self):
        self.visitors = list(self.homes)
        self.threads = [threading.Thread(target=self.run, args=(worker,), daemon=True) for worker in range(WORKERS)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def click(self, connection, cookie):
        self.requests += 1
        headers = [("cookie", cookie)] if cookie else []
        connection.send(request_bytes(host=f"{HOST}:{self.port}", headers=headers))
        response = connection.response()
        found = titles(response.body.decode())
        home = subset_of(found[0]) if response.status == 200 and len(found) == 1 else None
        if home is None:
            raise NoPage(f"{response.status} {found}")
        return home, response

    def run(self, worker):
        own = self.visitors[worker::WORKERS]
        with Connection(self.port, tls=True) as connection:
            while not self.stop.is_set():
                for visitor in own:
                    try:
                        home, _ = self.click(connection, visitor)
                    except Exception as fault:
                        self.faults.append(fault)
                        connection.close()
                        continue
                    if home != self.homes[visitor]:
                        self.changes[visitor] = self.changes.get(visitor, 0) + 1
                    self.homes[visitor] = home
                self.laps[worker] += 1

    def all_click(self):
        """Waits until every visitor has clicked since now."""
        start = list(self.laps)
        # The lap that is under way may have begun before.
        envoy.until(lambda: all(now >= was + 2 for now, was in zip(self.laps, start)), "the visitors", 120)


class PacedCrowd(Crowd):
    """Visitors who click RATE times a second together; it is known who met an error, and when."""

    size = 800
    rate = RATE

    def __init__(self, port):
        super().__init__(port)
        self.failing = set()  # who met an error last
        self.failed = []  # (when, who)
        self.failed_at = 0  # after how many requests somebody last did

    def run(self, worker):
        own = self.visitors[worker::WORKERS]
        started = time.monotonic()
        with Connection(self.port, tls=True) as connection:
            for number in itertools.count():
                # No faster than visitors are, and not in bursts where the machine has been busy.
                if self.stop.wait(max(0.0, started + number * WORKERS / self.rate - time.monotonic())):
                    return
                visitor = own[number % len(own)]
                try:
                    self.homes[visitor], _ = self.click(connection, visitor)
                    self.failing.discard(visitor)
                except NoPage:
                    self.failing.add(visitor)
                    self.failed.append((time.monotonic(), visitor))
                    self.failed_at = self.requests
                except Exception as fault:
                    self.faults.append(fault)
                    connection.close()

    def is_served(self):
        """Whether everybody has come since the last error; in turns, so after some more requests than there are visitors."""
        return self.requests - self.failed_at >= self.size * 5 // 4

    def click_on(self, times):
        """Waits for this many requests; after some more than the number of visitors, everybody has come."""
        goal = self.requests + times
        envoy.until(lambda: self.requests >= goal, "the visitors", 120)


class Dots(PacedCrowd):
    """A hundred visitors for the dashboard: a file says which version has answered each of them last."""

    size = 100
    rate = 50

    def __init__(self, port, file):
        super().__init__(port)
        self.file = file

    def arrive(self):
        super().arrive()
        self.write()

    def __enter__(self):
        super().__enter__()
        writing = threading.Thread(target=self.write_on, daemon=True)
        self.threads.append(writing)
        writing.start()
        return self

    def write_on(self):
        while not self.stop.wait(0.2):
            self.write()

    def write(self):
        failing = set(self.failing)
        lines = (f"{cookie} {home}{' failed' if cookie in failing else ''}\n" for cookie, home in dict(self.homes).items())
        replace(self.file, "".join(lines))


class Following:
    """Follows the file of what is applied, until the end."""

    def __init__(self, demo):
        self.demo = demo
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stop.wait(0.1):
            try:
                self.demo.follow_applied()
            except (envoy.Failed, OSError) as error:
                say(f"  {error}")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


class Build:
    """The tool, built while something else is shown."""

    def __enter__(self):
        self.is_stopped = False
        self.log = tempfile.TemporaryFile()
        command = ["nice", "cargo", "build", "--quiet", "--locked", "--bin", "canary-split", "--manifest-path", ROOT / "Cargo.toml"]
        self.process = envoy.spawn(command, self.log)
        return self

    def __exit__(self, *_):
        self.stop()
        self.log.close()

    def stop(self):
        if not self.is_done():
            self.is_stopped = True
            envoy.end(self.process)

    def is_done(self):
        return self.process.poll() is not None

    def is_good(self):
        """Waits for it."""
        return self.process.wait() == 0

    def told(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())

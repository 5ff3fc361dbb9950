"""A real Prometheus that scrapes gateways as it does in a cluster, with the rules that we ship; and promtool."""

import json
import re
import shutil
import subprocess
import tempfile
import urllib.parse
from pathlib import Path

from gateway import Failed, end, get, spawn, until
from repository import ROOT

RULES = ROOT / "manifests/metrics/rules.yaml"


def binary(name):
    """The one that setup.sh has unpacked, or the system's."""
    unpacked = ROOT / ".venv/prometheus/usr/bin" / name
    found = unpacked if unpacked.exists() else shutil.which(name)
    if not found:
        raise Failed(f"{name} is not installed; run tests/setup.sh all")
    return found


def promtool(*arguments):
    """What it says; it has to be content."""
    done = subprocess.run([binary("promtool"), *arguments], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Failed(f"promtool {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}")
    return done.stdout


class Prometheus:
    """Scrapes and evaluates every second. `gateways` are Envoys by the name under which they are scraped."""

    def __init__(self, gateways, rules=RULES):
        self.directory = Path(tempfile.mkdtemp(prefix="canary-prometheus-"))
        self.log_file = self.directory / "log"
        targets = [
            {"targets": [envoy.admin_address], "labels": {"instance": name, "istio": "ingressgateway"}}
            for name, envoy in gateways.items()
        ]
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [{"job_name": "g", "metrics_path": "/stats/prometheus", "static_configs": targets}],
        }
        (self.directory / "config.json").write_text(json.dumps(config))

    def __enter__(self):
        command = [binary("prometheus"), f"--config.file={self.directory}/config.json"]
        command += [f"--storage.tsdb.path={self.directory}/data", "--web.listen-address=127.0.0.1:0"]
        with self.log_file.open("wb") as log:
            self.process = spawn(command, log)
        try:
            self.address = until(self._listens, lambda: f"Prometheus\n{self.log_file.read_text()}")
            until(lambda: get(self.address, "/-/ready")[0] == 200, "a Prometheus that is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        end(self.process)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _listens(self):
        log = self.log_file.read_text()
        if self.process.poll() is not None:
            raise Failed(f"Prometheus ended:\n{log}")
        found = re.search(r'msg="Listening on" address=(\S+)', log)
        return found and found[1]

    def ask(self, path, **parameters):
        """The data of an answer of its API."""
        status, text = get(self.address, f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        if status != 200:
            raise Failed(f"{path} {parameters}: {text}")
        return json.loads(text)["data"]

    def query(self, expression):
        """[(labels, value)] now."""
        result = self.ask("query", query=expression)["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def value(self, expression):
        """That of the one series, or None."""
        result = self.query(expression)
        return result[0][1] if len(result) == 1 else None

    def alerts(self):
        """{(name, state)}; an alert whose time has not come yet is pending."""
        return {(alert["labels"]["alertname"], alert["state"]) for alert in self.ask("alerts")["alerts"]}

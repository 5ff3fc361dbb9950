"""The tool's dashboard for Envoys on this machine."""

import json
import os
import shutil
import subprocess
import sys

from istio import envoy
from repository import ROOT

# `cargo test` and `make test-browser` build the one, `make tool` the other.
TOOLS = [ROOT / "target" / profile / "canary-split" for profile in ("debug", "release")]


def tool():
    """The tool that was built last, if any."""
    built = [path for path in TOOLS if path.exists()]
    return max(built, key=lambda path: path.stat().st_mtime, default=None)


class Dashboard:
    """`canary-split dashboard`, for Envoys that have what a file says."""

    def __init__(self, file, admins, *arguments, interval="1s"):
        path = tool()
        if not path:
            raise envoy.Failed("the tool is missing; run cargo build --bin canary-split")
        self.command = [path, "dashboard", "-o", "json", "--no-open", "--interval", interval, "-f", file]
        for admin in admins:
            self.command += ["--admin", admin]
        self.command += arguments
        self.process = None

    def __enter__(self):
        command = [str(part) for part in self.command]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=envoy.die_with_parent)
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise envoy.Failed(f"the dashboard did not start: {' '.join(command)}")
        self.url = json.loads(line)["url"]
        return self

    def show(self):
        """Opens it where a browser can be seen."""
        is_seen = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
        opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
        if is_seen and opener:
            subprocess.Popen([opener, self.url], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def __exit__(self, *_):
        self.stop()

"""The demo shows what is shipped, says when that is not so, and leaves nothing behind."""

import contextlib
import copy
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import time
import uuid
from pathlib import Path

import istio
import pytest

DEMO = Path(__file__).parent / "demo.py"
PATIENCE = 120
# For the tool's first build.
BUILD_PATIENCE = 1200


class Run:
    """A demo in a session of its own, with a mark that all its processes inherit."""

    def __init__(self, directory, *arguments, terminal=False, **environment):
        self.directory = directory  # for its temporary files
        self.mark = f"DEMO_MARK={uuid.uuid4()}"
        key, value = self.mark.split("=")
        environment = {**os.environ, key: value, "PYTHONUTF8": "1", "TMPDIR": str(directory), **environment}
        self.output = b""
        ours, theirs = pty.openpty() if terminal else os.pipe()
        self.terminal = ours
        self.process = subprocess.Popen(
            [sys.executable, *(arguments or [DEMO])],
            stdin=theirs if terminal else subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
            # Its keys are then signals, as on any terminal.
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if terminal else None,
        )
        os.close(theirs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.terminal)

    def more(self, patience=PATIENCE):
        """Waits for output; False at its end."""
        ready, _, _ = select.select([self.terminal], [], [], patience)
        assert ready, f"nothing for {patience} s after: {self.text()[-500:]}"
        try:
            data = os.read(self.terminal, 65536)
        except OSError:  # what a terminal says when nobody is at its other end
            data = b""
        self.output += data
        return bool(data)

    def until(self, text, patience=PATIENCE):
        while text not in self.text():
            assert self.more(patience), f"it ended before {text!r}: {self.text()}"

    def wait(self):
        """The exit code, and everything that was said."""
        while self.more():
            pass
        return self.process.wait(PATIENCE), self.text()

    def text(self):
        return re.sub(r"\x1b\[\d*m", "", self.output.decode(errors="replace"))

    def interrupt(self):
        """As a terminal does it: to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def left(self):
        """What it has left behind: processes that still run, and files."""
        return self.running() + [path.name for path in self.directory.iterdir()]

    def running(self):
        """The command lines of its processes."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self.mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found


def shown_in_the_readme():
    lines = re.search(r"(?s)\n## See it\n.*?```text\n(.*?)```", (istio.ROOT / "README.md").read_text())[1].splitlines()
    assert len(lines) == 12
    return lines


def shape(line):
    """A line without what chance has made of it."""
    for pattern, name in ((r"[█·]+", "BAR"), (r"1(\.[0-9a-f]{7,8}){2}", "COOKIE"), (r"\d[\d,.]*", "N"), (r" +", " ")):
        line = re.sub(pattern, name, line)
    return line.strip()


def assert_in_order(lines, text):
    printed = map(shape, text.splitlines())
    for line in lines:
        # An iterator goes on behind the line that it has found.
        assert shape(line) in printed, line


def test_it_shows_that_all_is_as_it_should_be_also_where_its_ports_are_taken(tmp_path):
    with contextlib.ExitStack() as stack:
        for port in (8443, 8080):
            taken = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):  # taken already, which is as good
                taken.bind(("127.0.0.1", port))
                taken.listen()
        with Run(tmp_path, DEMO_EXIT="1") as run:
            run.until("while a thousand visitors")
            assert len(run.running()) >= 4, "the demo, Envoy, v1 and v2"
            code, text = run.wait()
            assert code == 0 and "All as it should be." in text, text
            assert "✗" not in text
            assert_in_order(shown_in_the_readme(), text)
            assert re.search(r"Port 8443 \(https\) is taken; \d+ is used\.", text), text
            assert re.search(r"Port 8080 \(http\) is taken; \d+ is used\.", text), text
            assert run.left() == []


@pytest.mark.parametrize(
    "breakage",
    [
        "demo.TITLES['v2'] = 'another title'",
        "demo.config_text = lambda config: '{}'",
    ],
)
def test_it_says_so_if_something_is_wrong(tmp_path, breakage):
    code = f"import sys; sys.path.insert(0, {str(DEMO.parent)!r}); import demo; {breakage}; sys.exit(demo.main())"
    with Run(tmp_path, "-c", code, DEMO_EXIT="1") as run:
        code, text = run.wait()
        assert code == 1, text
        assert "All as it should be." not in text
        assert run.left() == []


@pytest.mark.parametrize("moment", ["", "A stock Envoy", "3. The same", "before:"])
def test_ctrl_c_leaves_nothing_behind(tmp_path, moment):
    with Run(tmp_path) as run:
        if moment:
            run.until(moment)
        else:
            # As early as there is a child.
            deadline = time.monotonic() + PATIENCE
            while len(run.running()) < 2:
                assert time.monotonic() < deadline and run.process.poll() is None
        run.interrupt()
        code, text = run.wait()
        assert code == 130, text
        assert run.left() == []


def test_on_a_terminal_it_stays_up_until_ctrl_c(tmp_path):
    with Run(tmp_path, terminal=True, DEMO_EXIT="") as run:
        run.until("Ctrl-C ends it.")
        url = re.search(r"It is running: (https://\S+)", run.text())[1]
        home = re.search(r"export CURL_HOME=(\S+);", run.text())[1]

        def page():
            curl = subprocess.run(
                ["curl", "-s", "--fail", url], env={**os.environ, "CURL_HOME": home}, capture_output=True
            )
            return curl.stdout.decode()

        for weight, title in (("100", "tornado WebSocket example"), ("0", "httpbin.org")):
            os.write(run.terminal, f"{weight}\n".encode())
            run.until(f"v2 {weight}\r\n")
            assert f"<title>{title}</title>" in page()
        run.until("The hundred dots are visitors", BUILD_PATIENCE)
        address, path = re.search(r"Look at it, and move it: http://([^/]+)(/\S+/)", run.text()).groups()

        def is_seen():
            state = json.loads(istio.envoy.get(address, f"{path}state")[1])["state"]
            (rule,) = state["rules"]
            homes = [dot["subset"] for dot in state["visitors"][rule["key"]]]
            return rule["verdict"]["text"].startswith("httpbin: everybody on v1") and homes == ["v1"] * 100

        istio.envoy.until(is_seen, "everybody on v1")
        os.write(run.terminal, b"\x03")
        code, text = run.wait()
        assert code == 0, text
        assert run.left() == []


def test_no_process_outlives_a_demo_that_is_killed(tmp_path):
    with Run(tmp_path) as run:
        run.until("2. The ten")
        run.process.kill()
        run.process.wait()
        deadline = time.monotonic() + PATIENCE
        while running := run.running():
            assert time.monotonic() < deadline, running


# ---- the translation -------------------------------------------------------------------------------------------------

OVERLAYS = sorted(path.name for path in (istio.ROOT / "manifests/overlays").iterdir())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_is_understood(overlay):
    manifests = istio.translate(istio.render(istio.ROOT / "manifests/overlays" / overlay))
    assert sorted(manifests.clusters.values()) == ["v1", "v2"]
    assert manifests.redirects and manifests.plugin["failure_policy"] == "FAIL_OPEN"


ADDITIONS = [
    ("VirtualService", lambda spec: spec["http"][0].update(mirror={})),
    ("VirtualService", lambda spec: spec["http"][0]["match"][0].update(authority={"exact": "a"})),
    ("VirtualService", lambda spec: spec["http"][0]["match"][0]["headers"].update(x={"regex": "a"})),
    ("VirtualService", lambda spec: spec["http"][0]["route"].append({})),
    ("VirtualService", lambda spec: spec.update(exportTo=["."])),
    ("DestinationRule", lambda spec: spec.update(trafficPolicy={})),
    ("Gateway", lambda spec: spec["servers"][0].update(bind="0.0.0.0")),
    ("Certificate", lambda spec: spec.update(secretName="another")),
    ("WasmPlugin", lambda spec: spec.update(vmConfig={})),
    ("WasmPlugin", lambda spec: spec["selector"].update(matchLabels={"istio": "another"})),
    ("Service", lambda spec: spec.update(type="NodePort")),
]


@pytest.mark.parametrize("kind, add", ADDITIONS)
def test_what_is_not_understood_is_an_error(kind, add):
    objects = copy.deepcopy(istio.render(istio.ROOT / "manifests/overlays/sticky"))
    (thing,) = [thing for thing in objects if thing["kind"] == kind]
    add(thing["spec"])
    with pytest.raises(istio.NotUnderstood):
        istio.translate(objects)

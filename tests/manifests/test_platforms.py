"""`make demo` is for macOS and Linux on arm64 too: nothing on its path is of one system alone. `make platforms` checks the packages."""

import ast
import json
import re

import pytest
from repository import ROOT

# What only Linux has, as it looks in Python.
LINUX = [
    (r"/proc/|/sys/", "a file of Linux's kernel"),
    (r"\bprctl\b|\bsched_\w+affinity\b|\bpidfd_\w+|\bepoll\b|\beventfd\b|\bsetns\b|\bunshare\b|\bmemfd_create\b", "a call of Linux alone"),
    (r"\b127\.\d+\.\d+\.(?!1\b)\d+", "an address of loopback that macOS does not have"),
    (r"watched_directory", "macOS's Envoy does not notice what moves in a folder"),
    (r"\bPR_SET|\bSO_BINDTODEVICE|\bSOCK_CLOEXEC|\bpipe2\b", "a constant of Linux alone"),
]
# What only GNU's or Linux's commands have.
GNU = [
    (r"\breadlink -f", "an option of GNU's readlink"),
    (r"\bsed\b[^|]* -(i|r|z)\b", "another option on macOS"),
    (r"\bgrep\b[^|]* -\w*P", "grep -P is GNU's"),
    (r"\bcp\b[^|&;]* (-\w*[aldut]\w*|--\w+)", "an option of GNU's cp"),
    (r"\b(date -d|date --|stat -c|du -b|head -c -|head -n -|tail -n \+0|xargs -r|sort -V|mktemp -p|mktemp --|ln -r|touch -d|install -D)", "an option of GNU alone"),
    (r"\b(sha256sum|md5sum|nproc|timeout|setsid|tac|shuf|free|ip|flock|numfmt) ", "no command of macOS"),
    (r"/proc/|/sys/", "a file of Linux's kernel"),
    (r"\[\[|\bfunction \w|<\(|(?<!\w)\$'|\becho -[ne]\b|\blocal \w|&>", "not for every sh"),
]


def found(table, text):
    return [f"{line.strip()}: {why}" for pattern, why in table for line in text.splitlines() if re.search(pattern, line)]


def without(text, name):
    """A shell script without one of its functions."""
    kept, count = re.subn(rf"(?ms)^{name}\(\) \{{\n.*?^\}}\n", "", text)
    assert count == 1, name
    return kept


def imports(path):
    """The files of ours that one imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    places = [path.parent, ROOT / "tests/envoy"]
    return {place / f"{name}.py" for name in names for place in places if (place / f"{name}.py").exists()}


def of_the_demo():
    seen, open_files = set(), {ROOT / "tests/demo/demo.py", *(ROOT / "tests/apps").glob("*.py")}
    while open_files:
        path = open_files.pop()
        seen.add(path)
        open_files |= imports(path) - seen
    return sorted(seen)


def without_guarded(text):
    """Python without what only runs on Linux."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "sys.platform == 'linux'":
            for at in range(node.body[0].lineno - 1, node.body[-1].end_lineno):
                lines[at] = ""
    return "\n".join(lines)


def test_the_demo_calls_nothing_that_only_linux_has():
    files = of_the_demo()
    assert {"demo.py", "istio.py", "gateway.py", "discovery.py", "client.py", "v1.py", "v2.py"} <= {path.name for path in files}
    faults = {path.name: found(LINUX, without_guarded(path.read_text())) for path in files}
    assert not any(faults.values()), faults


def demo_shell():
    """What the setup of the demo runs: the rest is for the tests, which need Linux."""
    setup = (ROOT / "tests/setup.sh").read_text()
    for name in ("browser", "prometheus", "fetch_deb", "platforms"):
        setup = without(setup, name)
    return "\n".join(line for line in setup.splitlines() if not line.lstrip().startswith(("#", "need ", "complain ")))


def demo_recipes():
    """The recipes of make demo, with what they need."""
    makefile = (ROOT / "Makefile").read_text()
    rules = {head: body for head, body in re.findall(r"(?m)^((?:build|demo|\$\(TRIMMED\)):.*)\n((?:\t.*\n)+)", makefile)}
    assert len(rules) == 3
    flags = re.search(r"(?ms)^MODULE_FLAGS = .*?[^\\]$", makefile)[0]
    return "\n".join([flags, *rules, *rules.values()])


@pytest.mark.parametrize("text", [demo_shell, demo_recipes])
def test_the_demo_is_set_up_by_commands_that_every_system_has(text):
    assert found(GNU, text()) == []


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (LINUX, 'Path("/proc/self/status")'),
        (LINUX, "os.sched_getaffinity(0)"),
        (LINUX, 'address("127.0.0.2", 0)'),
        (GNU, "here=$(readlink -f .)"),
        (GNU, "sed -i s/a/b/ file"),
        (GNU, "cp -a from to"),
        (GNU, "timeout 10 make"),
        (GNU, "    sha256sum file"),
    ],
)
def test_what_only_one_system_has_would_be_found(table, text):
    assert len(found(table, text)) == 1


def test_wasm_opt_is_the_same_program_on_every_system():
    packages = json.loads((ROOT / "wasmplugin/trim/package-lock.json").read_text())["packages"]
    assert len(packages) > 1
    for name, package in packages.items():
        assert not {"os", "cpu", "libc"} & package.keys() and not package.get("hasInstallScript"), name

"""A copy of what we ship that a test may change, and kubectl to render it."""

import functools
import gzip
import os
import shutil
import subprocess
from pathlib import Path

import yaml
from repository import ROOT

# Enough of a module for everything that only packs it.
MODULE = b"\0asm\x01\0\0\0" + bytes(range(256)) * 8


# The one in C is ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Tree:
    """`wasmplugin` and `manifests`, copied."""

    def __init__(self, top: Path, kubectl: str):
        self.top = top
        self.kubectl = kubectl
        for folder in ("wasmplugin", "manifests"):
            shutil.copytree(ROOT / folder, top / folder, ignore=shutil.ignore_patterns("*.gz", "__pycache__", "node_modules"))
        (top / "wasmplugin/in-cluster/canary_split.wasm.gz").write_bytes(gzip.compress(MODULE, mtime=0))

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess:
        # Nothing here may depend on, or reach, a cluster.
        environment = os.environ | {"KUBECONFIG": os.devnull}
        return subprocess.run(
            [self.kubectl, *arguments], cwd=self.top, input=stdin, capture_output=True, text=True, env=environment
        )

    def render(self, folder: str) -> str:
        done = self.run("kustomize", folder)
        assert (done.returncode, done.stderr) == (0, ""), f"{folder}: {done.stderr}"
        return done.stdout

    def objects(self, folder: str) -> "Objects":
        return Objects(yaml.load_all(self.render(folder), Loader=LOADER))

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.top / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} has {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new))


class Objects(list):
    def all(self, kind: str) -> list:
        return [o for o in self if o["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> dict:
        found = [o for o in self.all(kind) if name in (None, o["metadata"]["name"])]
        assert len(found) == 1, f"{len(found)} of {kind} {name or ''}"
        return found[0]


class Untouched(Tree):
    """One that nobody edits: everything is rendered once."""

    @functools.cache
    def render(self, folder: str) -> str:
        return super().render(folder)

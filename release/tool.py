#!/usr/bin/env python3
"""Builds the tool for a target and packs it, with the licence. Writes .release/canary-split-VERSION-OS-ARCH.tar.gz."""

import argparse
import gzip
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import facts


def host() -> str:
    said = subprocess.run(["rustc", "--version", "--verbose"], capture_output=True, text=True, check=True).stdout
    return next(line.split()[1] for line in said.splitlines() if line.startswith("host: "))


def build(target: str) -> Path:
    """The tool for a target, which says its version if this machine can run it."""
    # For this machine it goes where `make tool` puts it.
    elsewhere = [] if target == host() else ["--target", target]
    command = ["cargo", "build", "--locked", "--release", "--bin", "canary-split", *elsewhere]
    if subprocess.run(command, cwd=facts.TOP).returncode:
        sys.exit(f"release: the tool does not build for {target}")
    tool = facts.TOP.joinpath("target", *elsewhere[1:], "release/canary-split")
    if not elsewhere:
        version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout.split()
        if version != ["canary-split", facts.VERSION]:
            sys.exit(f"release: the tool says that it is {' '.join(version)}, and Cargo.toml says {facts.VERSION}")
    return tool


def packed(files: dict[str, tuple[bytes, int]]) -> bytes:
    """A tar.gz of files (contents, mode) without anything of the machine or the moment in it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, (data, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(out.getvalue(), 9, mtime=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", help=f"one of {', '.join(facts.PLATFORMS.values())}; default: this machine's")
    target = parser.parse_args().target or host()
    platform = next((platform for platform, known in facts.PLATFORMS.items() if known == target), None)
    if not platform:
        sys.exit(f"release: there is no release for {target}, only for {', '.join(facts.PLATFORMS.values())}")
    files = {"canary-split": (build(target).read_bytes(), 0o755), "LICENSE": ((facts.TOP / "LICENSE").read_bytes(), 0o644)}
    facts.OUT.mkdir(exist_ok=True)
    path = facts.OUT / facts.archive(*platform)
    path.write_bytes(packed(files))
    print(f"tool for {' '.join(platform)}: {path}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What a release is made of. Each fact has one place, and the scripts of this folder read it here.

Prints them as NAME=VALUE lines: the workflow's jobs hand them to each other.
"""

import re
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
# What is published, and the image's layout.
OUT = TOP / ".release"
LAYOUT = TOP / ".image/oci"

# (operating system, architecture) as Go and krew call them, and the Rust target.
PLATFORMS = {
    ("linux", "amd64"): "x86_64-unknown-linux-gnu",
    ("linux", "arm64"): "aarch64-unknown-linux-gnu",
    ("darwin", "amd64"): "x86_64-apple-darwin",
    ("darwin", "arm64"): "aarch64-apple-darwin",
}

NO_DIGEST = "sha256:" + 64 * "0"
# What the documents say until the first release, and what no release may say.
UNPUBLISHED = "No release has been published yet"


def said(file: str, pattern: str) -> str:
    """What the only line that matches says in its group."""
    found = re.findall(pattern, (TOP / file).read_text(), re.M)
    if len(found) != 1:
        raise SystemExit(f"{file}: {len(found)} lines match {pattern}, one is needed")
    return found[0]


VERSION = said("Cargo.toml", r'^version = "(\d+\.\d+\.\d+)"$')
REPOSITORY = said("Cargo.toml", r'^repository = "(https://github\.com/[\w.-]+/[\w.-]+)"$')
# Another compiler gives the module other bytes.
RUST = said("Cargo.toml", r'^rust = "(\d+\.\d+\.\d+)"')
# The one place for the image, which the overlays, the tool and the chart have from there.
IMAGE = said("wasmplugin/wasmplugin.yaml", r"^  url: oci://([^@\s]+)@sha256:[0-9a-f]{64}$")
DIGEST = said("wasmplugin/wasmplugin.yaml", r"^  url: oci://[^@\s]+@(sha256:[0-9a-f]{64})$")


def archive(system: str, architecture: str) -> str:
    """The name of the tool's archive for a platform."""
    return f"canary-split-{VERSION}-{system}-{architecture}.tar.gz"


if __name__ == "__main__":
    for name, value in [("version", VERSION), ("rust", RUST), ("image", IMAGE), ("digest", DIGEST)]:
        print(f"{name}={value}")

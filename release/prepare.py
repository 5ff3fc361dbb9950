#!/usr/bin/env python3
"""Writes a version, and the digest of its image, wherever they are said. What is left to do is a commit and a tag."""

import argparse
import datetime
import re
import subprocess
import sys
from pathlib import Path

import facts

VERSION = r"\d+\.\d+\.\d+"


def edit(file: str, pattern: str, new: str) -> None:
    """Replaces every match in a file, of which there must be one at least."""
    path = facts.TOP / file
    text, found = re.subn(pattern, new, path.read_text(), flags=re.M)
    if not found:
        sys.exit(f"{file}: nothing matches {pattern}")
    path.write_text(text)


def numbered(version: str) -> None:
    edit("Cargo.toml", rf'\Aversion = "{VERSION}"|^version = "{VERSION}"$', f'version = "{version}"')
    edit("Cargo.lock", rf'^(name = "canary-split"\nversion = )".+"$', rf'\1"{version}"')
    edit("wasmplugin/Dockerfile", r'(image\.version=)"[^"]+"', rf'\1"{version}"')
    import check  # which reads the files as they are now

    for file in check.documents():
        path = facts.TOP / file
        text = path.read_text()
        for pattern in check.IN_DOCUMENTS:
            text = re.sub(pattern, lambda found: found[0].replace(found[1], version), text, flags=re.M)
        path.write_text(text)


def dated(version: str) -> None:
    """What comes next is from now on what came with this version."""
    if re.search(rf"(?m)^## \[{re.escape(version)}\]", (facts.TOP / "CHANGELOG.md").read_text()):
        return
    today = datetime.date.today().isoformat()
    edit("CHANGELOG.md", r"^## \[Unreleased\]$", f"## [Unreleased]\n\n## [{version}] - {today}")


def run(*command: str | Path) -> None:
    if subprocess.run([str(part) for part in command], cwd=facts.TOP).returncode:
        sys.exit(f"release: {' '.join(map(str, command))} has failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", help="such as 1.2.3")
    parser.add_argument("--no-build", action="store_true", help="leave the digest as it is")
    options = parser.parse_args()
    if not re.fullmatch(VERSION, options.version):
        sys.exit(f"release: {options.version} is no version such as 1.2.3")
    numbered(options.version)
    dated(options.version)
    if not options.no_build:
        run("make", "--no-print-directory", "image", f"URL={facts.IMAGE}")
    if (facts.TOP / "wasmplugin/chart.py").exists():
        run(sys.executable, "wasmplugin/chart.py")
    if not options.no_build:
        run(sys.executable, "release/check.py", f"v{options.version}", "--built")
    print(f"now: git commit -am 'Version {options.version}' && git tag v{options.version} && git push origin HEAD v{options.version}")


if __name__ == "__main__":
    main()

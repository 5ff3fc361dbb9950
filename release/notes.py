#!/usr/bin/env python3
"""The notes of a release: its section of CHANGELOG.md, and what image it is. Writes .release/notes.md."""

import argparse
import re

import facts

UNRELEASED = "Unreleased"


def sections(text: str) -> dict[str, tuple[str, str]]:
    """Version → (date, text) of each section of a changelog."""
    parts = re.split(r"(?m)^## \[([^\]]+)\](?: - (\S+))?[ ]*$", text)
    # References of links end the last section.
    texts = [re.split(r"(?m)^\[[^\]]+\]: ", part)[0].strip() for part in parts[3::3]]
    return dict(zip(parts[1::3], zip((date or "" for date in parts[2::3]), texts)))


def section(version: str) -> str:
    """What the changelog says of a version; whatever is wrong names the version."""
    known = sections((facts.TOP / "CHANGELOG.md").read_text())
    if version not in known:
        raise SystemExit(f"CHANGELOG.md has no section [{version}]: rename [{UNRELEASED}] (release/prepare.py does)")
    date, text = known[version]
    if not text:
        raise SystemExit(f"CHANGELOG.md says nothing about {version}")
    if version != UNRELEASED and not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
        raise SystemExit(f"CHANGELOG.md: [{version}] has no date such as 2026-01-31")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", nargs="?", default=facts.VERSION, help=f"default: Cargo.toml's; {UNRELEASED} for what comes next")
    version = parser.parse_args().version
    verify = f"{facts.REPOSITORY}/blob/v{facts.VERSION}/docs/releases.md"
    # GitHub keeps line ends in a release's text.
    text = re.sub(r"\n {2,}(?=\S)", " ", section(version))
    notes = [text, f"Image: `oci://{facts.IMAGE}@{facts.DIGEST}`", f"[How to verify what you download]({verify})"]
    facts.OUT.mkdir(exist_ok=True)
    (facts.OUT / "notes.md").write_text("\n\n".join(notes) + "\n")
    print(f"notes of {version}: {facts.OUT / 'notes.md'}")


if __name__ == "__main__":
    main()

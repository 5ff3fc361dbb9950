#!/usr/bin/env python3
"""The checksums of all that is published. Writes .release/SHA256SUMS, for `sha256sum --check` and `shasum -a 256 --check`."""

import argparse
import hashlib

import facts

# The notes are the release's text, and the signature is of the checksums themselves.
LEFT_OUT = ("SHA256SUMS", "SHA256SUMS.sigstore.json", "notes.md")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    files = [path for path in sorted(facts.OUT.iterdir()) if path.is_file() and path.name not in LEFT_OUT]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (facts.OUT / "SHA256SUMS").write_text("".join(lines))
    print("".join(lines), end="")


if __name__ == "__main__":
    main()

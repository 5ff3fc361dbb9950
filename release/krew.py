#!/usr/bin/env python3
"""The manifest for krew, with the checksums of the tool's archives. Writes .release/canary-split.yaml."""

import argparse
import hashlib
import string
import sys

import facts

PLATFORM = string.Template("""\
  - selector:
      matchLabels: {os: ${system}, arch: ${architecture}}
    uri: ${repository}/releases/download/v${version}/${archive}
    sha256: ${checksum}
    bin: canary-split
""")


def platform(system: str, architecture: str, repository: str) -> str:
    name = facts.archive(system, architecture)
    checksum = hashlib.sha256((facts.OUT / name).read_bytes()).hexdigest()
    return PLATFORM.substitute(
        system=system, architecture=architecture, repository=repository, version=facts.VERSION, archive=name, checksum=checksum
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partial", action="store_true", help="only with the platforms whose archives exist")
    partial = parser.parse_args().partial
    missing = [facts.archive(*each) for each in facts.PLATFORMS if not (facts.OUT / facts.archive(*each)).exists()]
    if missing and (not partial or len(missing) == len(facts.PLATFORMS)):
        sys.exit(f"release: {facts.OUT} has no {', '.join(missing)}: release/tool.py makes them")
    there = [each for each in facts.PLATFORMS if facts.archive(*each) not in missing]
    template = string.Template((facts.TOP / "release/krew.yaml").read_text().split("\n", 1)[1])
    platforms = "".join(platform(*each, facts.REPOSITORY) for each in there).rstrip("\n")
    text = template.substitute(version=facts.VERSION, repository=facts.REPOSITORY, platforms=platforms)
    (facts.OUT / "canary-split.yaml").write_text(text)
    print(f"krew manifest for {', '.join('/'.join(each) for each in there)}: {facts.OUT / 'canary-split.yaml'}")


if __name__ == "__main__":
    main()

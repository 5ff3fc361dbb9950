#!/usr/bin/env python3
"""Refuses a release whose places do not agree: tag, Cargo.toml, Cargo.lock, CHANGELOG.md, image, documents and chart.

Without a tag it says what is still to do before one can be set, and refuses only what is never right.
"""

import argparse
import json
import re
import sys

import facts
import notes

# What says the version of the image or of the repository to a reader: the group is the version.
IN_DOCUMENTS = [
    r"docker://\S+/canary-split:(\d+\.\d+\.\d+)",
    r"crane push \S+ \S+/canary-split:(\d+\.\d+\.\d+)",
    r"^ *rev: v(\d+\.\d+\.\d+)$",
    r"--tag v(\d+\.\d+\.\d+)$",
    r"key: canary-split-v(\d+\.\d+\.\d+)\b",
]


def documents() -> list[str]:
    """The pages that tell a reader which version to take."""
    folders = ["*.md", "docs/*.md", "wasmplugin/*.md", "manifests/*.md"]
    found = [str(path.relative_to(facts.TOP)) for folder in folders for path in sorted(facts.TOP.glob(folder))]
    return [file for file in found if file != "CHANGELOG.md"]


def versions() -> list[tuple[str, str]]:
    """Every other place that says the version."""
    said = [
        ("Cargo.lock", facts.said("Cargo.lock", r'^name = "canary-split"\nversion = "(.+)"$')),
        ("wasmplugin/Dockerfile", facts.said("wasmplugin/Dockerfile", r'image\.version="([^"]+)"')),
    ]
    for file in documents():
        text = (facts.TOP / file).read_text()
        said += [(file, version) for pattern in IN_DOCUMENTS for version in re.findall(pattern, text, re.M)]
    chart = "wasmplugin/chart/Chart.yaml"
    if (facts.TOP / chart).exists():
        said += [(f"{chart}: {field}", facts.said(chart, rf'^{field}: "?([^"\s]+)"?$')) for field in ("version", "appVersion")]
    return said


def never_right() -> list[str]:
    """Places that contradict each other, whether there is a release or not."""
    wrong = [f"{place} says {version}, Cargo.toml says {facts.VERSION}" for place, version in versions() if version != facts.VERSION]
    image = facts.REPOSITORY.replace("https://github.com/", "ghcr.io/").lower()
    if facts.IMAGE != image:
        wrong.append(f"wasmplugin/wasmplugin.yaml names {facts.IMAGE}; a release of {facts.REPOSITORY} is pushed to {image}")
    values = facts.TOP / "wasmplugin/chart/values.yaml"
    if values.exists():
        for field, value in (("repository", facts.IMAGE), ("digest", facts.DIGEST)):
            said = facts.said("wasmplugin/chart/values.yaml", rf"^ *{field}: (\S+)$")
            if said != value:
                wrong.append(f"wasmplugin/chart/values.yaml: {field} is {said}, wasmplugin/wasmplugin.yaml says {value}: make chart")
    return wrong


def to_do(built: bool) -> list[str]:
    """What a tag needs in addition."""
    open_points = []
    try:
        notes.section(facts.VERSION)
    except SystemExit as error:
        open_points.append(str(error))
    for file in documents():
        if facts.UNPUBLISHED in (facts.TOP / file).read_text():
            open_points.append(f"{file} says: {facts.UNPUBLISHED}")
    if facts.DIGEST == facts.NO_DIGEST:
        open_points.append("wasmplugin/wasmplugin.yaml has no digest yet (release/prepare.py writes it)")
    elif built:
        (image,) = json.loads((facts.LAYOUT / "index.json").read_text())["manifests"]
        if image["digest"] != facts.DIGEST:
            open_points.append(f"the image that was built is {image['digest']}, wasmplugin/wasmplugin.yaml names {facts.DIGEST}")
    return open_points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tag", nargs="?", help="the tag that is to be released: v and the version")
    parser.add_argument("--built", action="store_true", help="compare the digest of the image in .image, too")
    options = parser.parse_args()
    wrong, open_points = never_right(), to_do(options.built)
    if options.tag not in (None, f"v{facts.VERSION}"):
        wrong.append(f"the tag is {options.tag}, and Cargo.toml says {facts.VERSION}")
    if options.tag:
        wrong += open_points
    else:
        for point in open_points:
            print(f"before a tag: {point}")
    if wrong:
        sys.exit("\n".join(f"release: {each}" for each in wrong))
    print(f"{facts.VERSION}: all places agree")


if __name__ == "__main__":
    main()

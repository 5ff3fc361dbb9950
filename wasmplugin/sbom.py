#!/usr/bin/env python3
"""What the module is made of, as CycloneDX: .image/canary-split.cdx.json, with the module's digest. `make audit` calls it.

cargo-cyclonedx writes the list; this adds the digest, leaves out what is only of this machine, and keeps to cargo's own list of what is linked.
"""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
TARGET = "wasm32-wasip1"
MODULE = TOP / f"target/{TARGET}/release/canary_split.wasm"
OUT = TOP / ".image/canary-split.cdx.json"


def run(*command):
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"sbom: {' '.join(command)}\n{done.stderr}")
    return done.stdout


def main():
    if not MODULE.exists():
        sys.exit(f"sbom: {MODULE} is missing; run make build")
    run("cargo", "cyclonedx", "--no-default-features", "--format", "json", "--spec-version", "1.5", "--target", TARGET, "--override-filename", "bom")
    made = TOP / "bom.json"
    text = made.read_text().replace(f"path+file://{TOP}#", "").replace("download_url=file://.", "")
    made.unlink()
    bom = json.loads(text)
    bom["metadata"]["component"]["hashes"] = [
        {"alg": "SHA-256", "content": hashlib.sha256(MODULE.read_bytes()).hexdigest()}
    ]
    # The same module has the same list.
    del bom["metadata"]["timestamp"], bom["serialNumber"]
    tree = run("cargo", "tree", "--locked", "--no-default-features", "--target", TARGET, "-e", "normal", "--prefix", "none")
    linked = set(re.findall(r"(?m)^(\S+) v(\S+)", tree)) - {("canary-split", bom["metadata"]["component"]["version"])}
    # The features that the tool or the tests ask for are listed too.
    crate = lambda component: (component["name"], component["version"])  # noqa: E731
    left_out = {component["bom-ref"] for component in bom["components"] if crate(component) not in linked}
    bom["components"] = [component for component in bom["components"] if component["bom-ref"] not in left_out]
    bom["dependencies"] = [each for each in bom["dependencies"] if each["ref"] not in left_out]
    for each in bom["dependencies"]:
        if "dependsOn" in each:
            each["dependsOn"] = [ref for ref in each["dependsOn"] if ref not in left_out]
    listed = {crate(component) for component in bom["components"]}
    if linked != listed:
        sys.exit(f"sbom: cargo links {sorted(linked)}, and {sorted(listed)} is listed")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(bom, indent=1) + "\n")
    print(f"{OUT.relative_to(TOP)}: {len(listed)} crates")


if __name__ == "__main__":
    main()

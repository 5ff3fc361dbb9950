#!/usr/bin/env python3
"""A whole release on this machine, as far as it goes without a network: `make release-dry-run`.

It runs the scripts that the workflow runs, in the same order. What it cannot run it names, with the reason.
"""

import shutil
import subprocess
import sys

import facts

# Where a step runs that this machine cannot run.
NOT_HERE = [
    (f"release/push.sh {facts.IMAGE} {facts.VERSION} DIGEST", "needs the registry, and the right to write to it"),
    (f"release/sign.sh image {facts.IMAGE} DIGEST", "needs the identity of the workflow (cosign, keyless)"),
    ("release/sign.sh checksums", "needs the identity of the workflow (cosign, keyless)"),
    ("the attestations of build provenance and SBOM", "are made by GitHub for its workflow alone"),
    (f"release/publish.sh {facts.VERSION}", "needs the repository on GitHub, and the tag in it"),
]


def step(title: str, *command: str) -> None:
    print(f"\n== {title}: {' '.join(command)}", flush=True)
    runner = [sys.executable] if command[0].endswith(".py") else []
    if subprocess.run([*runner, *command], cwd=facts.TOP).returncode:
        sys.exit(f"\nrelease: the step has failed: {title}")


def main() -> None:
    shutil.rmtree(facts.OUT, ignore_errors=True)
    not_here = list(NOT_HERE)
    step("the places agree", "release/check.py")
    step("the module, built twice", "release/module.py", "--any-compiler")
    step("the image, with its digest", "wasmplugin/image.py")
    step("the digest", "release/check.py", "--built")
    step("what the module is made of", "release/sbom.sh")
    step("the tool for this machine", "release/tool.py")
    made = [platform for platform in facts.PLATFORMS if (facts.OUT / facts.archive(*platform)).exists()]
    for platform, target in facts.PLATFORMS.items():
        if platform not in made:
            not_here.append((f"release/tool.py {target}", "needs a machine of that kind to link on; `make platforms` checks that it compiles"))
    if (facts.TOP / "wasmplugin/chart/Chart.yaml").exists():
        if (facts.TOP / "target/helm/helm").exists() or shutil.which("helm"):
            step("the chart", "release/chart.sh", facts.VERSION)
        else:
            not_here.append((f"release/chart.sh {facts.VERSION}", "helm is missing: tests/setup.sh helm"))
    step("krew", "release/krew.py", "--partial")
    step("checksums", "release/checksums.py")
    released = f"[{facts.VERSION}]" in (facts.TOP / "CHANGELOG.md").read_text()
    step("the notes", "release/notes.py", *([] if released else ["Unreleased"]))
    print(f"\n{facts.OUT}:")
    for path in sorted(facts.OUT.iterdir()):
        print(f"  {path.stat().st_size:>10,}  {path.name}")
    print()
    for what, why in not_here:
        print(f"not run here: {what}: {why}")


if __name__ == "__main__":
    main()

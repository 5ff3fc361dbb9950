#!/bin/sh
# What the module is made of, as CycloneDX: .release/canary-split.cdx.json
set -eu
cd "$(dirname "$0")/.."
make --no-print-directory target/tools/bin/cargo-cyclonedx
PATH="$PWD/target/tools/bin:$PATH" python3 wasmplugin/sbom.py
mkdir -p .release
cp .image/canary-split.cdx.json .release/

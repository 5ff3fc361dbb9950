#!/bin/sh
# Packs the chart: .release/canary-split-chart-VERSION.tgz
#   release/chart.sh VERSION
# Needs helm: in PATH, or where tests/setup.sh puts it.
set -eu
cd "$(dirname "$0")/.."
PATH="target/helm:$PATH"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
helm package wasmplugin/chart --destination "$made"
mkdir -p .release
mv "$made/canary-split-$1.tgz" ".release/canary-split-chart-$1.tgz"

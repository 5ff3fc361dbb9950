#!/bin/sh
# Pushes the image, and the chart if there is one. The registry must then have the digest that the manifests name.
#   release/push.sh IMAGE VERSION DIGEST
# Needs crane, and helm for the chart, both logged in to the registry. Where the chart went, the workflow's next steps are told.
set -eu
cd "$(dirname "$0")/.."
PATH="target/helm:$PATH"
image=$1 version=$2 digest=$3

if ! grep -qF "\"$digest\"" .image/oci/index.json; then
    echo "release: .image/oci is not $digest" >&2
    exit 1
fi
# A version is pushed once: a tag that moves would be another release of the same name.
if had=$(crane digest "$image:$version" 2>/dev/null) && [ "$had" != "$digest" ]; then
    echo "release: $image:$version exists and is $had, not $digest" >&2
    exit 1
fi
crane push .image/oci "$image:$version"
has=$(crane digest "$image:$version")
if [ "$has" != "$digest" ]; then
    echo "release: the registry says that $image:$version is $has, not $digest" >&2
    exit 1
fi
echo "pushed $image:$version@$has"

chart=.release/canary-split-chart-$version.tgz
[ -e "$chart" ] || exit 0
# IMAGE/canary-split would look like a part of the image.
charts=$(dirname "$image")/charts
helm push "$chart" "oci://$charts"
echo "pushed $charts/canary-split:$version@$(crane digest "$charts/canary-split:$version")"
if [ -n "${GITHUB_OUTPUT-}" ]; then
    echo "chart=$charts/canary-split" >>"$GITHUB_OUTPUT"
    echo "chart_digest=$(crane digest "$charts/canary-split:$version")" >>"$GITHUB_OUTPUT"
fi

#!/bin/sh
# Signs without a key: the certificate names the workflow that signs, and expires within minutes.
#   release/sign.sh image IMAGE DIGEST    the image in its registry
#   release/sign.sh checksums             .release/SHA256SUMS, and with it every file that it lists
# Needs cosign, and an identity token, which GitHub gives a job with `id-token: write`.
set -eu
cd "$(dirname "$0")/.."
case $1 in
image) cosign sign --yes "$2@$3" ;;
checksums) cosign sign-blob --yes --bundle .release/SHA256SUMS.sigstore.json .release/SHA256SUMS ;;
*)
    echo "release: sign what? image or checksums" >&2
    exit 2
    ;;
esac

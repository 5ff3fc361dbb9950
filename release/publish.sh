#!/bin/sh
# Makes the release on GitHub of all that is in .release, with the notes as its text.
#   release/publish.sh VERSION
# Needs gh with GH_TOKEN, and the tag vVERSION in the repository.
set -eu
cd "$(dirname "$0")/.."
set -- "$1" .release/*
version=$1
shift
for file; do
    shift
    [ "$file" = .release/notes.md ] || set -- "$@" "$file"
done
gh release create "v$version" --verify-tag --title "canary-split $version" --notes-file .release/notes.md "$@"

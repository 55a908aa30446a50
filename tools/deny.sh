#!/usr/bin/env bash
# Licences, sources and known weaknesses of all crates that this project builds on, by cargo-deny (deny.toml). Where the
# database of weaknesses cannot be had, that part is left out, and says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=$PWD/${CARGO_TARGET_DIR:-target}/tools
case ${CARGO_TARGET_DIR:-} in /*) tools=$CARGO_TARGET_DIR/tools ;; esac
deny=$(command -v cargo-deny || echo "$tools/bin/cargo-deny")
if [ ! -x "$deny" ]; then
    # It runs for two seconds: building it fast matters more than building it well.
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
        cargo install --quiet --locked --root "$tools" --version '^0.20' cargo-deny
fi

"$deny" --log-level error check --hide-inclusion-graph bans licenses sources

said=$(mktemp)
trap 'rm -f "$said"' EXIT
if "$deny" --log-level error check --hide-inclusion-graph advisories >"$said" 2>&1; then
    cat "$said"
elif grep -q 'failed to fetch advisory database' "$said"; then
    echo 'SKIPPED: advisories: the database of known weaknesses (github.com/RustSec/advisory-db) cannot be reached from here'
else
    cat "$said"
    exit 1
fi

#!/usr/bin/env bash
# Plants one bug after the other (tests/torture/planted/*.patch) in a copy of the sources, and shows that the torture finds
# it: each must fail in under a tenth of N trials. Usage: tools/planted.sh [N]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

trials=$((${1:-10000} / 10))
copy=$(mktemp -d /tmp/his-planted-XXXXXX)
trap 'rm -rf "$copy"' EXIT
missed=0

for patch in tests/torture/planted/*.patch; do
    name=$(basename "$patch" .patch)
    rm -rf "$copy/tree"
    mkdir "$copy/tree"
    tar -c --exclude=./target --exclude=./.git . | tar -x -C "$copy/tree"
    patch --quiet -p1 -d "$copy/tree" <"$patch"
    printf '\n%s: %s\n' "$name" "$(head -n 1 "$patch")"
    # The same folder each time: what does not change is built once.
    if (cd "$copy/tree" && CARGO_TARGET_DIR="$copy/target" HIS_TRIALS=$trials cargo test --locked --test chain \
        torture::p7_every -- --nocapture >"$copy/log" 2>&1); then
        printf '  NOT FOUND in %s trials\n' "$trials"
        missed=1
    elif grep -q 'error: could not compile' "$copy/log" || ! grep -q 'test result: FAILED' "$copy/log"; then
        printf '  NOT BUILT:\n'
        tail -n 20 "$copy/log"
        missed=1
    else
        found=$(grep -m 1 -E '^torture: ' "$copy/log" || echo 'found before a fault was needed')
        printf '  found: %s\n' "${found#torture: }"
        grep -m 3 -E '^    "|ended with [0-9]+$|without a fault' "$copy/log" | cut -c 1-160 | sed 's/^ */    /' || true
    fi
done
exit "$missed"

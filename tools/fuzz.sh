#!/usr/bin/env bash
# Fuzzes each reader of files for SECONDS (600), as many at once as there are cores, and keeps what led to something new in
# tests/fuzz/corpus. Usage: tools/fuzz.sh [SECONDS] [READER...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../tests/fuzz"

seconds=${1:-600}
shift || true
readers=("$@")
[ ${#readers[@]} -gt 0 ] || mapfile -t readers < <(basename -s .rs targets/*.rs)
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz

# Without a sanitizer a stable toolchain will do: the project has no unsafe code to look after.
cargo fuzz build --sanitizer none --fuzz-dir .

one() { # READER
    local reader=$1 fresh samples=../../samples
    fresh=$(mktemp -d)
    case $reader in
        profile) samples=../../samples/his ;;
        plan) samples=../../samples/plan ;;
        batch) samples=../../samples/formats/1/queue ;;
        snapshot) samples=../../samples/formats/1/snapshots ;;
        journal) samples=../../samples/formats/1 ;;
        *) samples=corpus/$reader ;;
    esac
    mkdir -p "corpus/$reader" "artifacts/$reader"
    if ! cargo fuzz run --sanitizer none --fuzz-dir . "$reader" "$fresh" "corpus/$reader" "$samples" -- \
        -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="artifacts/$reader/" >"artifacts/$reader.log" 2>&1; then
        printf '%s: A FINDING\n' "$reader"
        tail -n 30 "artifacts/$reader.log"
        return 1
    fi
    # Of what is new, few that reach as much.
    cargo fuzz run --sanitizer none --fuzz-dir . "$reader" "corpus/$reader" "$fresh" -- -set_cover_merge=1 >>"artifacts/$reader.log" 2>&1
    rm -rf "$fresh"
    printf '%s: no finding in %s s, %s\n' "$reader" "$seconds" \
        "$(sed -n 's/^stat::number_of_executed_units: */inputs tried: /p' "artifacts/$reader.log" | head -n 1)"
}
export -f one
export seconds
printf '%s\n' "${readers[@]}" | xargs -P "$(nproc)" -I '{}' bash -c 'one {}'

#!/usr/bin/env bash
# Fuzzes each reader of files for SECONDS (600), as many at once as there are cores, and keeps the inputs that reach something
# new in tests/fuzz/corpus/READER.tar.zst; `make test` runs them. Usage: tools/fuzz.sh [SECONDS] [READER...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../tests/fuzz"

seconds=${1:-600}
shift || true
readers=("$@")
[ ${#readers[@]} -gt 0 ] || mapfile -t readers < <(basename -s .rs targets/*.rs)
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz

# Without a sanitizer a stable toolchain will do: the project has no unsafe code to look after.
fuzz() { cargo fuzz "$1" --sanitizer none --fuzz-dir . "${@:2}"; }
fuzz build

one() { # READER
    local reader=$1 place samples
    case $reader in
        profile) samples=../../samples/his ;;
        plan) samples=../../samples/plan ;;
        batch) samples=../../samples/formats/1/queue ;;
        snapshot) samples=../../samples/formats/1/snapshots ;;
        journal) samples=../../samples/formats/1 ;;
        *) samples=corpus/$reader ;;
    esac
    place=$(mktemp -d)
    mkdir -p "corpus/$reader" "artifacts/$reader" "$place/all" "$place/kept"
    if [ -f "corpus/$reader.tar.zst" ]; then tar --zstd -xf "corpus/$reader.tar.zst" -C "$place/all"; fi
    if ! fuzz run "$reader" "$place/all" "corpus/$reader" "$samples" -- \
        -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="artifacts/$reader/" >"artifacts/$reader.log" 2>&1; then
        printf '%s: A FINDING\n' "$reader"
        tail -n 30 "artifacts/$reader.log"
        return 1
    fi
    fuzz run "$reader" "$place/kept" "$place/all" -- -set_cover_merge=1 >>"artifacts/$reader.log" 2>&1
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -I 'zstd -19' -cf "corpus/$reader.tar.zst" -C "$place/kept" .
    rm -rf "$place"
    printf '%s: no finding in %s s, %s\n' "$reader" "$seconds" \
        "$(sed -n 's/^stat::number_of_executed_units: */inputs tried: /p' "artifacts/$reader.log" | head -n 1)"
}
export -f fuzz one
export seconds
printf '%s\n' "${readers[@]}" | xargs -P "$(nproc)" -I '{}' bash -c 'one {}'

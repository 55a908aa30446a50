#!/usr/bin/env bash
# Measures ours beside what an engineer would use in its place, in one run on one machine: snapshot beside pg_dump, load beside
# pg_restore, both beside pgcopydb, deltas, 200 windows at a switch, capture, and an event's way back beside COPY and logical
# replication. Prints a table, and writes bench.json and bench.svg into HIS_BENCH_OUT (docs/bench).
# Then 51 round trips of the windows under traffic, with the primary killed, alive, frozen, swallowed and so on.
#
#   HIS_PATIENTS=4000000   size of the reference HIS; 4 million patients have about 10 million rows
#   HIS_RUNS=5             turns of each pair
#   HIS_UNITS=100000       acts of the windows in the event that is brought back
#   HIS_EVENTS=5           such events
#   HIS_WORKS=             only the works whose name has this in it
#   HIS_ROUNDS=51          round trips; 0: none
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -gt 0 ]; then
    sed -n '2,/^set/{/^#/p}' "$0" >&2
    exit 2
fi

if ! command -v pgcopydb >/dev/null 2>&1; then
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Not installed, and needed: pgcopydb" >&2
        echo "HINT: there is no apt here; install it with the packages of this system, then try again." >&2
        exit 1
    fi
    echo "Installing with apt: pgcopydb" >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update </dev/null >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install pgcopydb </dev/null >&2
fi

export HIS_PATIENTS=${HIS_PATIENTS:-4000000} HIS_RUNS=${HIS_RUNS:-5} HIS_UNITS=${HIS_UNITS:-100000} HIS_EVENTS=${HIS_EVENTS:-5}
HIS_BENCH_OUT=$(realpath -m "${HIS_BENCH_OUT:-docs/bench}")
export HIS_BENCH_OUT
cargo bench --locked --bench peers

HIS_ROUNDS=${HIS_ROUNDS:-51}
if [ "$HIS_ROUNDS" -gt 0 ]; then
    export HIS_ROUNDS
    cargo test --locked --release --test chain switch::traffic -- --nocapture
fi

#!/usr/bin/env bash
# Measures how long the windows are away: opens and returns over many round trips under traffic, with the primary killed,
# alive, frozen, swallowed, coming back by itself, and with a snapshot stuck on it. Prints the slowest of each.
#
#   HIS_ROUNDS=51   round trips
set -euo pipefail
cd "$(dirname "$0")/.."
HIS_ROUNDS=${HIS_ROUNDS:-51} cargo test --locked --release --test chain switch::traffic -- --nocapture

#!/usr/bin/env bash
# Measures how long the windows are away: opens and returns over many round trips under traffic, with the primary killed,
# alive, frozen, swallowed, coming back by itself, and with a snapshot stuck on it. Prints the slowest of each.
#
# Then how long the merge of many units takes, as a multiple of a plain COPY of the same rows.
#
#   HIS_ROUNDS=51       round trips
#   HIS_UNITS=100000    acts of the windows to be merged
set -euo pipefail
cd "$(dirname "$0")/.."
HIS_ROUNDS=${HIS_ROUNDS:-51} cargo test --locked --release --test chain switch::traffic -- --nocapture

# The merge of a day beside a plain COPY of the same rows into the same tables, in the same run.
HIS_UNITS=${HIS_UNITS:-100000} cargo test --locked --release --test chain merge::speed -- --nocapture

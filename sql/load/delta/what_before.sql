-- What this generation was before it came forward. No parameters; the table is there only after a delta.
SELECT snapshot, snapshot_sha256, taken_at, ledger_run FROM his_emergency.before

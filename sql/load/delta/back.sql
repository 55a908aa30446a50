-- Makes the generation what it was before, and remembers what it was not to be. No parameters.
UPDATE his_emergency.generation g
SET rolled_back = g.snapshot, snapshot = b.snapshot, snapshot_sha256 = b.snapshot_sha256, taken_at = b.taken_at, ledger_run = b.ledger_run,
    rows = b.rows, loaded_at = b.loaded_at
FROM his_emergency.before b

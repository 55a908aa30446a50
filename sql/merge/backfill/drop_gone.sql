-- Leaves out the rows of units that the ledger has: what was brought back once and is gone again is somebody's doing. Parameters: no, event.
DELETE FROM pg_temp.raw_{{ no }} r USING his_emergency.unit l WHERE l.event = {{ event | lit }} AND l.generation = 0 AND l.xid = r.xid

-- Decides for the snapshot what an earlier run of the backfill held because it differs. $1 event, $2 by.
UPDATE his_emergency.conflict k SET take = 'standby', decided_by = $2, decided_at = clock_timestamp(), why = 'backfill --changed snapshot'
FROM his_emergency.unit u WHERE k.event = $1 AND (u.event, u.generation, u.xid) = (k.event, k.generation, k.xid) AND u.status = 'held' AND k.kind = 'exists' AND k.take IS NULL;

-- Conflicts whose units are still held, with the units that wait for each. $1 event, or NULL for all.
SELECT c.id, c.event || '/' || c.generation || '-' || c.xid, c.table_name, c.key, c.kind, c.reason, c.standby, c."primary"
FROM his_emergency.conflict c JOIN his_emergency.unit u USING (event, generation, xid)
WHERE u.status = 'held' AND ($1::text IS NULL OR c.event = $1)
ORDER BY c.id;

-- What the tables' policies have decided in an event, without a person. $1 event.
SELECT c.table_name, c.take, c.kind, c.event || '/' || c.generation || '-' || c.xid, c.key
FROM his_emergency.conflict c JOIN his_emergency.unit u USING (event, generation, xid)
WHERE c.event = $1 AND c.by_policy AND c.take IS NOT NULL AND u.status <> 'held' ORDER BY 1, 2, 3, c.id;

-- Money of units that are held or rejected: what the windows took or paid out and the primary has no record of. $1 event, or NULL for all.
SELECT u.event || '/' || u.generation || '-' || u.xid, u.status, m.table_name, m.column_name, m.amount::text, u.at, u.db_user, u.application, u.address, u.money, u.by, u.why
FROM his_emergency.unit u JOIN his_emergency.unit_money m USING (event, generation, xid)
WHERE u.status IN ('held', 'rejected') AND ($1::text IS NULL OR u.event = $1) ORDER BY u.event, u.batch, u.last_seq, u.xid, m.table_name, m.column_name;

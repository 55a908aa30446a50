-- Tables and columns of the changes that the ledger keeps of a backfill's held and rejected units. $1 event.
SELECT table_name, array_agg(DISTINCT c) FROM his_emergency.change w JOIN his_emergency.unit u USING (event, generation, xid) CROSS JOIN unnest(w.columns) c
WHERE w.event = $1 AND u.status <> 'merged' GROUP BY table_name ORDER BY table_name;

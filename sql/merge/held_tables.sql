-- Tables and columns of the changes that the ledger keeps of held and rejected units, but for those of backfills. No parameters.
SELECT table_name, array_agg(DISTINCT c) FROM his_emergency.change w JOIN his_emergency.unit u USING (event, generation, xid) JOIN his_emergency.event e USING (event) CROSS JOIN unnest(w.columns) c
WHERE u.status <> 'merged' AND e.epoch > 0 GROUP BY table_name ORDER BY table_name;

-- Writes a range of staged units into the ledger, in the transaction that applied them. Parameters: event, batch, run, first, last.
INSERT INTO his_emergency.unit (event, generation, xid, batch, status, rows, at, db_user, application, address, run)
SELECT {{ event | lit }}, generation, xid, {{ batch }}, CASE WHEN status = 'held' THEN 'held' ELSE 'merged' END, rows, at, "user", application, address, {{ run }}
FROM pg_temp.stage_unit WHERE pos BETWEEN {{ first }} AND {{ last }} AND (applied OR status = 'held') AND status <> 'done';
INSERT INTO his_emergency.unit_money (event, generation, xid, table_name, column_name, amount)
SELECT {{ event | lit }}, u.generation, u.xid, m.table_name, m.column_name, m.amount
FROM pg_temp.stage_money m JOIN pg_temp.stage_unit u USING (xid)
WHERE u.pos BETWEEN {{ first }} AND {{ last }} AND (u.applied OR u.status = 'held') AND u.status <> 'done';

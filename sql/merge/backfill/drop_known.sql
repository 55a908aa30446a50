-- Leaves out the rows of held and rejected units, which the ledger keeps itself. Parameters: no, name, event.
DELETE FROM pg_temp.raw_{{ no }} r USING his_emergency.change w WHERE w.event = {{ event | lit }} AND w.table_name = {{ name | lit }} AND w.seq = r.seq;

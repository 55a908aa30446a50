-- What should guard this database and does not. No parameters. One line each: kind and name.
WITH tables AS (
  SELECT c.oid, c.relkind, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'his_emergency') AND n.nspname !~ '^pg_(toast|temp)'
), always AS (
  SELECT tgrelid, tgname FROM pg_catalog.pg_trigger WHERE tgenabled = 'A'
), captured AS (
  SELECT t.oid, t.name FROM his_emergency.captured k
  CROSS JOIN LATERAL pg_catalog.pg_partition_tree(pg_catalog.format('%I.%I', k.schema_name, k.table_name)::pg_catalog.regclass) p
  JOIN tables t ON t.oid = p.relid
  WHERE p.isleaf
  UNION
  SELECT t.oid, t.name FROM his_emergency.captured k
  JOIN tables t ON t.name = pg_catalog.format('%I.%I', k.schema_name, k.table_name) AND t.relkind = 'r'
)
SELECT 'gate trigger on ' || t.name AS missing FROM tables t, (VALUES ('!his_emergency_gate'), ('!his_emergency_gate_truncate')) AS g (name)
WHERE NOT EXISTS (SELECT FROM always a WHERE a.tgrelid = t.oid AND a.tgname = g.name)
UNION
SELECT 'capture trigger on ' || c.name FROM captured c
WHERE NOT EXISTS (SELECT FROM always a WHERE a.tgrelid = c.oid AND a.tgname = '!his_emergency_capture')
UNION
SELECT 'event trigger ' || e.name FROM (VALUES ('his_emergency_ddl'), ('his_emergency_drop')) AS e (name)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger t WHERE t.evtname = e.name AND t.evtenabled = 'A')
ORDER BY 1

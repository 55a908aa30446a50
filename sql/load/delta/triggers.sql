-- Triggers that fire in replica role too, of a table and its partitions: the gate, the capture, and such of the HIS. $1 table, quoted.
SELECT n.nspname::text, c.relname::text, t.tgname::text, t.tgenabled::text
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND t.tgenabled IN ('A', 'R')
  AND (c.oid = $1::text::pg_catalog.regclass OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree($1::text::pg_catalog.regclass)))
ORDER BY 1, 2, 3

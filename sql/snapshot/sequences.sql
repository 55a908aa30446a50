-- Names every sequence outside system schemas and his_emergency. No parameters.
SELECT n.nspname::text, c.relname::text, s.seqincrement
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'his_emergency') AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY n.nspname, c.relname;

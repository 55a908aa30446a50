-- Materialized views, those that others are made of first. No parameters.
WITH RECURSIVE view AS (
  SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'his_emergency')
), reads AS (
  SELECT DISTINCT r.ev_class AS oid, d.refobjid AS source
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class
  WHERE d.refobjid IN (SELECT oid FROM view)
), beneath AS (
  SELECT oid, source FROM reads
  UNION
  SELECT b.oid, r.source FROM beneath b JOIN reads r ON r.oid = b.source
)
SELECT n.nspname::text, c.relname::text
FROM view v
JOIN pg_catalog.pg_class c ON c.oid = v.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE v.relkind = 'm'
ORDER BY (SELECT pg_catalog.count(*) FROM beneath b WHERE b.oid = v.oid), n.nspname, c.relname;

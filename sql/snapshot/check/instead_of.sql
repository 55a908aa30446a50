-- INSTEAD OF triggers, each with the tables that its view reads. No parameters.
SELECT vn.nspname::text AS view_schema, v.relname::text AS view_name, tg.tgname::text AS trigger,
       tn.nspname::text AS schema, t.relname::text AS name
FROM pg_catalog.pg_trigger tg
JOIN pg_catalog.pg_class v ON v.oid = tg.tgrelid
JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE tg.tgtype & 64 <> 0 AND NOT tg.tgisinternal
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5;

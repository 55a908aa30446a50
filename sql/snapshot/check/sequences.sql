-- Every sequence with what limits its numbers, and the columns that draw from it (owned, or by default). No parameters.
SELECT n.nspname::text AS schema, c.relname::text AS name, s.seqincrement AS increment,
       CASE s.seqtypid WHEN 'int2'::pg_catalog.regtype THEN 32767
                       WHEN 'int4'::pg_catalog.regtype THEN 2147483647
                       ELSE 9223372036854775807 END::bigint AS type_max,
       -- NULL also where the role may not read it.
       CASE WHEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') THEN pg_catalog.pg_sequence_last_value(c.oid) END AS last,
       u.table_schema, u.table_name, u.column_name, u.column_max
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT tn.nspname::text AS table_schema, t.relname::text AS table_name, a.attname::text AS column_name,
         CASE a.atttypid WHEN 'int2'::pg_catalog.regtype THEN 32767
                         WHEN 'int4'::pg_catalog.regtype THEN 2147483647
                         ELSE 9223372036854775807 END::bigint AS column_max
  FROM (
    SELECT d.refobjid AS rel, d.refobjsubid::int AS num
    FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    UNION
    SELECT ad.adrelid, ad.adnum::int
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_attrdef ad ON ad.oid = d.objid
    WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
  ) used
  JOIN pg_catalog.pg_class t ON t.oid = used.rel
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = used.num
) u ON true
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'his_emergency') AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY n.nspname, c.relname, u.table_schema, u.table_name, u.column_name;

-- Integer columns that a sequence fills: the one that owns it, or those whose default draws from it. $1 sequence, quoted.
SELECT DISTINCT n.nspname::text, c.relname::text, a.attname::text
FROM pg_catalog.pg_depend d
LEFT JOIN pg_catalog.pg_attrdef ad ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND ad.oid = d.objid
JOIN pg_catalog.pg_attribute a
  ON a.attrelid = CASE WHEN d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass THEN ad.adrelid ELSE d.refobjid END
 AND a.attnum = CASE WHEN d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass THEN ad.adnum ELSE d.refobjsubid END
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE ((d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = pg_catalog.to_regclass($1)::oid)
    OR (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = pg_catalog.to_regclass($1)::oid
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')))
  AND a.atttypid IN ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype, 'int8'::pg_catalog.regtype, 'numeric'::pg_catalog.regtype)
  AND NOT c.relispartition
ORDER BY 1, 2, 3;

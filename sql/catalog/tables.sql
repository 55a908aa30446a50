-- Describes every ordinary and partitioned table outside system schemas and his_emergency, one JSON object a row.
-- No parameters. Ordered by schema and name, so that two runs on equal schemas give equal text.
SELECT pg_catalog.json_build_object(
  'schema', n.nspname,
  'name', c.relname,
  'partitioned', c.relkind = 'p',
  'parent', (SELECT pg_catalog.json_build_object('schema', pn.nspname, 'name', pc.relname)
             FROM pg_catalog.pg_inherits i
             JOIN pg_catalog.pg_class pc ON pc.oid = i.inhparent
             JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
             WHERE i.inhrelid = c.oid AND c.relispartition),
  'owner', pg_catalog.pg_get_userbyid(c.relowner),
  'row_security', c.relrowsecurity,
  'estimated_rows', GREATEST(c.reltuples, 0)::bigint,
  'columns', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                'name', a.attname,
                'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
                'base_type', b.base,
                'type_kind', t.typtype,
                'not_null', a.attnotnull,
                'generated', a.attgenerated <> '',
                'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'default' ELSE '' END,
                'default', CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
                -- It looks the name up, which wants the right to look into the schema; of one that is closed to us nothing is needed.
                'sequence', CASE WHEN pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                  THEN pg_catalog.pg_get_serial_sequence(pg_catalog.format('%I.%I', n.nspname, c.relname), a.attname) END
              ) ORDER BY a.attnum), '[]')
              FROM pg_catalog.pg_attribute a
              JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
              LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
              CROSS JOIN LATERAL (
                WITH RECURSIVE down(typ, mod) AS (
                  SELECT a.atttypid, a.atttypmod
                  UNION ALL
                  SELECT dt.typbasetype, CASE WHEN dt.typtypmod <> -1 THEN dt.typtypmod ELSE down.mod END
                  FROM down JOIN pg_catalog.pg_type dt ON dt.oid = down.typ AND dt.typtype = 'd')
                SELECT pg_catalog.format_type(down.typ, down.mod) AS base
                FROM down JOIN pg_catalog.pg_type bt ON bt.oid = down.typ WHERE bt.typtype <> 'd') b
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'uniques', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                'name', ic.relname,
                'primary', x.indisprimary,
                'plain', x.indexprs IS NULL AND x.indpred IS NULL,
                'immediate', x.indimmediate,
                'keys', (SELECT pg_catalog.json_agg(pg_catalog.pg_get_indexdef(x.indexrelid, k, false) ORDER BY k)
                         FROM pg_catalog.generate_series(1, x.indnkeyatts) k),
                'predicate', pg_catalog.pg_get_expr(x.indpred, x.indrelid),
                'columns', (SELECT coalesce(pg_catalog.json_agg(ka.attname ORDER BY k.ord), '[]')
                            FROM pg_catalog.unnest(x.indkey[0:x.indnkeyatts - 1]) WITH ORDINALITY AS k(num, ord)
                            JOIN pg_catalog.pg_attribute ka ON ka.attrelid = c.oid AND ka.attnum = k.num)
              ) ORDER BY x.indisprimary DESC, ic.relname), '[]')
              FROM pg_catalog.pg_index x
              JOIN pg_catalog.pg_class ic ON ic.oid = x.indexrelid
              WHERE x.indrelid = c.oid AND x.indisunique AND x.indisvalid),
  'foreign_keys', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                'name', f.conname,
                'columns', (SELECT pg_catalog.json_agg(fa.attname ORDER BY k.ord)
                            FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY AS k(num, ord)
                            JOIN pg_catalog.pg_attribute fa ON fa.attrelid = f.conrelid AND fa.attnum = k.num),
                'to_schema', rn.nspname,
                'to_name', rc.relname,
                'to_columns', (SELECT pg_catalog.json_agg(fa.attname ORDER BY k.ord)
                            FROM pg_catalog.unnest(f.confkey) WITH ORDINALITY AS k(num, ord)
                            JOIN pg_catalog.pg_attribute fa ON fa.attrelid = f.confrelid AND fa.attnum = k.num),
                'on_delete', CASE f.confdeltype WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default' ELSE '' END,
                'on_update', CASE f.confupdtype WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default' ELSE '' END,
                'match_full', f.confmatchtype = 'f',
                'validated', f.convalidated,
                'deferrable', f.condeferrable
              ) ORDER BY f.conname), '[]')
              FROM pg_catalog.pg_constraint f
              JOIN pg_catalog.pg_class rc ON rc.oid = f.confrelid
              JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
              WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0),
  'triggers', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                'name', tg.tgname,
                'function', pg_catalog.format('%I.%I', fn.nspname, p.proname),
                'timing', CASE WHEN tg.tgtype & 2 <> 0 THEN 'before' WHEN tg.tgtype & 64 <> 0 THEN 'instead of' ELSE 'after' END,
                'row', tg.tgtype & 1 <> 0,
                'events', pg_catalog.concat_ws(' or ',
                  CASE WHEN tg.tgtype & 4 <> 0 THEN 'insert' END,
                  CASE WHEN tg.tgtype & 8 <> 0 THEN 'delete' END,
                  CASE WHEN tg.tgtype & 16 <> 0 THEN 'update' END,
                  CASE WHEN tg.tgtype & 32 <> 0 THEN 'truncate' END),
                'enabled', tg.tgenabled <> 'D',
                'may_return_null', l.lanname <> 'plpgsql' OR p.prosrc ~* 'return\s+null'
              ) ORDER BY tg.tgname), '[]')
              FROM pg_catalog.pg_trigger tg
              JOIN pg_catalog.pg_proc p ON p.oid = tg.tgfoid
              JOIN pg_catalog.pg_namespace fn ON fn.oid = p.pronamespace
              JOIN pg_catalog.pg_language l ON l.oid = p.prolang
              WHERE tg.tgrelid = c.oid AND NOT tg.tgisinternal AND fn.nspname <> 'his_emergency')
)::text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'his_emergency')
  AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY n.nspname, c.relname;

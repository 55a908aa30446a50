-- Locks the guarded parents of a range as they are, and gives the changes whose parent is no longer as it was planned.
-- Parameters: no, column, columns [{i, name}], to_table, to_columns, watched, rule, new; a part of check_range.sql.
WITH locked AS MATERIALIZED (
  SELECT p.ctid FROM {{ to_table }} p
  WHERE ({% for c in to_columns %}p.{{ c | id }}{{ ", " if not loop.last }}{% endfor %}) IN (
    SELECT {% for c in columns %}s.n{{ c.i }}{{ ", " if not loop.last }}{% endfor %}

    FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x USING (u) WHERE x.applied AND s.chunk = this_chunk AND x.chunk = this_chunk AND s.op <> 'D' AND NOT s.left_out)
  FOR SHARE OF p)
SELECT s.u, s.seq FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x USING (u)
JOIN {{ to_table }} p ON {% for c in columns %}p.{{ to_columns[loop.index0] | id }} = s.n{{ c.i }}{{ " AND " if not loop.last }}{% endfor %}

CROSS JOIN LATERAL (SELECT s.knows::json -> 'guard' -> {{ column | lit }} AS known) k
WHERE x.applied AND s.chunk = this_chunk AND x.chunk = this_chunk AND s.op <> 'D' AND NOT s.left_out AND k.known IS NOT NULL AND (SELECT count(*) FROM locked) IS NOT NULL
  -- A parent that the event made is as the standby knew it; one that it only gave another key need not be.
  AND NOT EXISTS (SELECT FROM pg_temp.touch v WHERE v.rule = {{ rule }} AND v.value = {{ new }} AND v.takes AND v.u <= s.u
    AND NOT EXISTS (SELECT FROM pg_temp.touch f WHERE f.u = v.u AND f.seq = v.seq AND f.rule = v.rule AND f.frees))
  AND NOT EXISTS (SELECT FROM pg_temp.guarded g WHERE g.rule = {{ rule }} AND g.value = {{ new }})
  AND NOT EXISTS (SELECT FROM pg_temp.conflict c WHERE c.u = s.u AND c.seq = s.seq AND c.table_no = {{ no }} AND c.rule = 'guard ' || {{ column | lit }} AND c.take IS NOT NULL)
  AND ({% for c in watched %}k.known ->> {{ loop.index0 }} IS DISTINCT FROM '=' || p.{{ c | id }}::text{{ " OR " if not loop.last }}{% endfor %})

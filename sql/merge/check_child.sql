-- Applied changes of a range whose reference does not hold now; the referenced rows are locked first, so that they stay.
-- Parameters: no, table, key [{i, name}], columns [{i, name}], to_table, to_columns; a part of check_range.sql.
WITH referenced AS MATERIALIZED (
  SELECT p.ctid FROM {{ to_table }} p
  WHERE ({% for c in to_columns %}p.{{ c | id }}{{ ", " if not loop.last }}{% endfor %}) IN (
    SELECT {% for c in columns %}s.n{{ c.i }}{{ ", " if not loop.last }}{% endfor %}

    FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x USING (u)
    WHERE x.applied AND s.chunk = this_chunk AND x.chunk = this_chunk AND s.op <> 'D' AND NOT s.left_out
      AND (s.op = 'I' OR s.changed && ARRAY[{% for c in columns %}{{ c.i }}{{ ", " if not loop.last }}{% endfor %}]::integer[]))
  FOR KEY SHARE OF p)
SELECT s.u, s.seq FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x USING (u)
JOIN {{ table }} t ON {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

WHERE x.applied AND s.chunk = this_chunk AND x.chunk = this_chunk AND s.op <> 'D' AND NOT s.left_out
  AND (s.op = 'I' OR s.changed && ARRAY[{% for c in columns %}{{ c.i }}{{ ", " if not loop.last }}{% endfor %}]::integer[])
  AND {% for c in columns %}t.{{ c.name | id }} IS NOT NULL{{ " AND " if not loop.last }}{% endfor %}

  AND (SELECT count(*) FROM referenced) IS NOT NULL
  AND NOT EXISTS (SELECT FROM {{ to_table }} p WHERE {% for c in columns %}p.{{ to_columns[loop.index0] | id }} = t.{{ c.name | id }}{{ " AND " if not loop.last }}{% endfor %})

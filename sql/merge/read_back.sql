-- Applied changes of a range that the primary does not hold as written; of each key the last change counts, also one that took it away.
-- Parameters: no, table, key [{i, name}], columns [{i, name, read_back}]; a part of check_range.sql.
SELECT s.u, s.seq
FROM (
  SELECT DISTINCT ON (k.value) s.*, k.what
  FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x USING (u)
  CROSS JOIN LATERAL (VALUES (coalesce(s.nk, s.ok), s.op), (CASE WHEN s.rekeyed THEN s.ok END, 'D'::"char")) k (value, what)
  WHERE x.applied AND x.chunk = this_chunk AND NOT s.left_out AND k.value IS NOT NULL
    AND NOT EXISTS (SELECT FROM pg_temp.already a WHERE (a.u, a.seq, a.table_no) = (s.u, s.seq, {{ no }}))
  ORDER BY k.value, s.u DESC, s.seq DESC) s
LEFT JOIN {{ table }} t ON {% for k in key %}t.{{ k.name | id }} = CASE WHEN s.what = 'D' THEN s.o{{ k.i }} ELSE s.n{{ k.i }} END{{ " AND " if not loop.last }}{% endfor %}

WHERE CASE s.what WHEN 'D' THEN t.{{ key[0].name | id }} IS NOT NULL
  WHEN 'I' THEN t.{{ key[0].name | id }} IS NULL{% for c in columns if c.read_back %} OR NOT (record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.n{{ c.i }}))){% endfor %}

  ELSE t.{{ key[0].name | id }} IS NULL{% for c in columns if c.read_back %} OR ({{ c.i }} = ANY (s.changed) AND NOT (record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.n{{ c.i }})))){% endfor %} END

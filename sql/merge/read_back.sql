-- Applied changes of a range that the primary does not hold as written; of each row the last change counts.
-- Parameters: no, table, key [{i, name}], columns [{i, name, read_back}]; a part of check_range.sql.
SELECT s.u, s.seq
FROM (
  SELECT DISTINCT ON (coalesce(s.nk, s.ok)) s.*
  FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x USING (u)
  WHERE x.applied AND s.u BETWEEN first_u AND last_u AND NOT s.left_out
    -- A row that got another key since is looked for there.
    AND NOT EXISTS (SELECT FROM pg_temp.stage_{{ no }} g JOIN pg_temp.unit y ON y.u = g.u
                    WHERE y.applied AND g.u BETWEEN first_u AND last_u AND g.rekeyed AND NOT g.left_out AND g.ok = coalesce(s.nk, s.ok) AND (g.u, g.seq) > (s.u, s.seq))
  ORDER BY coalesce(s.nk, s.ok), s.u DESC, s.seq DESC) s
LEFT JOIN {{ table }} t ON {% for k in key %}t.{{ k.name | id }} = CASE WHEN s.op = 'D' THEN s.o{{ k.i }} ELSE s.n{{ k.i }} END{{ " AND " if not loop.last }}{% endfor %}

WHERE CASE s.op WHEN 'D' THEN t.{{ key[0].name | id }} IS NOT NULL
  WHEN 'I' THEN t.{{ key[0].name | id }} IS NULL{% for c in columns if c.read_back %} OR NOT (record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.n{{ c.i }}))){% endfor %}

  ELSE t.{{ key[0].name | id }} IS NULL{% for c in columns if c.read_back %} OR ({{ c.i }} = ANY (s.changed) AND NOT (record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.n{{ c.i }})))){% endfor %} END

-- True when everything is there that the applied changes of a range, s, reference; it is locked, so that it stays. Parameters: columns
-- [{i, name}], to_table, to_columns; a part of check_range.sql.
(SELECT count(*) FROM (
  SELECT DISTINCT {% for c in columns %}s.n{{ c.i }}{{ ", " if not loop.last }}{% endfor %} FROM s
  WHERE (s.op = 'I' OR s.op = 'U' AND s.changed && ARRAY[{% for c in columns %}{{ c.i }}{{ ", " if not loop.last }}{% endfor %}]::integer[])
    AND {% for c in columns %}s.n{{ c.i }} IS NOT NULL{{ " AND " if not loop.last }}{% endfor %}) wanted)
= (SELECT count(*) FROM (
  SELECT FROM {{ to_table }} p
  WHERE ({% for c in to_columns %}p.{{ c | id }}{{ ", " if not loop.last }}{% endfor %}) IN (
    SELECT {% for c in columns %}s.n{{ c.i }}{{ ", " if not loop.last }}{% endfor %} FROM s
    WHERE s.op = 'I' OR s.op = 'U' AND s.changed && ARRAY[{% for c in columns %}{{ c.i }}{{ ", " if not loop.last }}{% endfor %}]::integer[])
  FOR KEY SHARE OF p) there)

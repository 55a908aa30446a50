-- What the primary should hold of each row of one table that the event has merged: whether it is there, and its money and group columns, each as the
-- last merged change of that column left it (t) and as the last image has it (e). Of a row that the event made, what triggers did to it counts too.
-- Parameters: no, key [{i}], values [{i, new}] (SQL over s).
CREATE TEMPORARY TABLE row_{{ no }} AS
WITH state AS (
  SELECT s.u, s.seq, s.event, s.ours, s.op, s.left_out, true AS there{% for k in key %}, s.n{{ k.i }} AS k{{ k.i }}{% endfor %}{% for v in values %}, {{ v.new }} AS v{{ v.i }}, s.op = 'I' OR NOT record_image_eq(ROW(s.o{{ v.i }}), ROW(s.n{{ v.i }})) AS c{{ v.i }}{% endfor %}

  FROM pg_temp.did_{{ no }} s WHERE s.status = 'merged' AND s.op <> 'D'
  UNION ALL
  SELECT s.u, s.seq, s.event, s.ours, 'D', s.left_out, false{% for k in key %}, s.o{{ k.i }}{% endfor %}{% for v in values %}, NULL, false{% endfor %}

  FROM pg_temp.did_{{ no }} s WHERE s.status = 'merged'
    AND (s.op = 'D' OR s.op = 'U' AND NOT record_image_eq(ROW({% for k in key %}s.o{{ k.i }}{{ ", " if not loop.last }}{% endfor %}), ROW({% for k in key %}s.n{{ k.i }}{{ ", " if not loop.last }}{% endfor %})))),
known AS (
  SELECT state.*, bool_or(op = 'I' AND NOT left_out) OVER own AS born, count(*) FILTER (WHERE NOT there) OVER own AS life
  FROM state WINDOW own AS (PARTITION BY {% for k in key %}k{{ k.i }}{{ ", " if not loop.last }}{% endfor %} ORDER BY u, seq)),
-- A key that was taken away and given again is another row, of which what was before says nothing.
lives AS (
  SELECT known.*, life = max(life) OVER (PARTITION BY {% for k in key %}k{{ k.i }}{{ ", " if not loop.last }}{% endfor %}) AS latest FROM known)
SELECT {% for k in key %}k{{ k.i }}, {% endfor %}(array_agg(there ORDER BY u DESC, seq DESC))[1] AS there, (array_agg(event ORDER BY u DESC, seq DESC))[1] AS event{% for v in values %}, (array_agg(v{{ v.i }} ORDER BY u DESC, seq DESC) FILTER (WHERE c{{ v.i }} AND latest))[1] AS t{{ v.i }}, (array_agg(v{{ v.i }} ORDER BY u DESC, seq DESC))[1] AS e{{ v.i }}{% endfor %}

FROM lives WHERE NOT left_out OR born GROUP BY {% for k in key %}k{{ k.i }}{{ ", " if not loop.last }}{% endfor %} HAVING bool_or(ours) AND bool_or(NOT left_out);
ANALYZE pg_temp.row_{{ no }};

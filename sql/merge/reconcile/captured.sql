-- The rows of one table as the event has merged them, by column name, for the profile's reports. Parameters: no, name, key [{i}], columns [{i, name}].
CREATE TEMPORARY VIEW {{ ("captured " ~ name) | id }} AS
SELECT {% for c in columns %}q.n{{ c.i }} AS {{ c.name | id }}{{ ", " if not loop.last }}{% endfor %}

FROM (
  SELECT DISTINCT ON ({% for k in key %}k{{ k.i }}{{ ", " if not loop.last }}{% endfor %}) z.*
  FROM (
    SELECT s.u, s.seq, true AS there{% for k in key %}, s.n{{ k.i }} AS k{{ k.i }}{% endfor %}{% for c in columns %}, s.n{{ c.i }}{% endfor %}

    FROM pg_temp.did_{{ no }} s WHERE s.ours AND s.status = 'merged' AND NOT s.left_out AND s.op <> 'D'
    UNION ALL
    SELECT s.u, s.seq, false{% for k in key %}, s.o{{ k.i }}{% endfor %}{% for c in columns %}, s.o{{ c.i }}{% endfor %}

    FROM pg_temp.did_{{ no }} s WHERE s.ours AND s.status = 'merged' AND NOT s.left_out
      AND (s.op = 'D' OR s.op = 'U' AND NOT record_image_eq(ROW({% for k in key %}s.o{{ k.i }}{{ ", " if not loop.last }}{% endfor %}), ROW({% for k in key %}s.n{{ k.i }}{{ ", " if not loop.last }}{% endfor %})))) z
  ORDER BY {% for k in key %}k{{ k.i }}, {% endfor %}u DESC, seq DESC) q
WHERE q.there;

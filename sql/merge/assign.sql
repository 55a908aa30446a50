-- Gives official numbers to the rows of a range that stand on the primary, in the order they were made. Parameters: a target; a part of merge_chunk.sql.
{% for a in assigns %}
WITH rows AS (
  SELECT s.u, s.seq{% for k in key %}, s.n{{ k.i }}{% endfor %}, {% if a.i %}s.n{{ a.i }}::text{% else %}NULL::text{% endif %} AS emergency
  FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u
  WHERE s.chunk = this_chunk AND x.chunk = this_chunk AND x.applied AND s.op = 'I' AND NOT s.left_out
    AND NOT EXISTS (SELECT FROM pg_temp.already a WHERE (a.u, a.seq, a.table_no) = (s.u, s.seq, {{ no }}))
    AND EXISTS (SELECT FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %})
    -- A row that a later unit takes away again needs no number.
    AND NOT EXISTS (SELECT FROM pg_temp.touch d JOIN pg_temp.unit y ON y.u = d.u
                    WHERE d.rule = {{ key_rule }} AND d.value = s.nk AND d.frees AND d.u >= s.u AND (d.u, d.seq) > (s.u, s.seq) AND y.status = 'new')
  ORDER BY s.u, s.seq),
numbered AS MATERIALIZED (SELECT rows.*, ({{ a.value }}) AS official FROM rows),
written AS (
  UPDATE {{ table }} AS t SET {{ a.name | id }} = f.official FROM numbered f
  WHERE {% for k in key %}t.{{ k.name | id }} = f.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %})
INSERT INTO pg_temp.given SELECT u, seq, {{ no }}, {{ a.name | lit }}, emergency, official::text FROM numbered;
{% endfor %}

-- What of a range of applied units the primary does not hold as it should. Parameters: tables [{no, columns [i], checks [{text, holds, kind,
-- reason}]}]; `holds` tells cheaply, of the applied changes s, that a check finds nothing. A function, so that the server plans each check
-- once and not once a chunk.
CREATE OR REPLACE FUNCTION pg_temp.check_range(this_chunk integer) RETURNS TABLE (bad_u bigint, bad_seq bigint, bad_table integer, bad_kind text, bad_reason text)
LANGUAGE plpgsql AS $check$
#variable_conflict use_column
DECLARE
  holds boolean[];
BEGIN
{% for t in tables %}
  WITH s AS MATERIALIZED (
    SELECT s.op, s.changed{% for i in t.columns %}, s.n{{ i }}{% endfor %}

    FROM pg_temp.stage_{{ t.no }} s JOIN pg_temp.unit x USING (u) WHERE s.chunk = this_chunk AND x.chunk = this_chunk AND x.applied AND NOT s.left_out)
  SELECT ARRAY[NOT EXISTS (SELECT FROM s){% for c in t.checks %},
{{ c.holds }}{% endfor %}] INTO holds;
  IF NOT holds[1] THEN
{% for c in t.checks %}
    IF NOT holds[{{ loop.index + 1 }}] THEN
      RETURN QUERY SELECT q.u, q.seq, {{ t.no }}, {{ c.kind | lit }}, {{ c.reason | lit }} FROM (
{{ c.text }}
      ) q;
    END IF;
{% endfor %}
  END IF;
{% endfor %}
END
$check$;

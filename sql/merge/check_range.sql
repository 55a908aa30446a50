-- What of a range of applied units the primary does not hold as it should. Parameters: checks [{text, kind, reason, table_no}]. A function, so
-- that the server plans each check once and not once a chunk.
CREATE OR REPLACE FUNCTION pg_temp.check_range(this_chunk integer) RETURNS TABLE (bad_u bigint, bad_seq bigint, bad_table integer, bad_kind text, bad_reason text)
LANGUAGE plpgsql AS $check$
#variable_conflict use_column
BEGIN
{% for t in tables %}
  IF EXISTS (SELECT FROM pg_temp.stage_{{ t.no }} s JOIN pg_temp.unit x USING (u) WHERE x.chunk = this_chunk AND x.applied) THEN
{% for c in t.checks %}
    RETURN QUERY SELECT q.u, q.seq, {{ t.no }}, {{ c.kind | lit }}, {{ c.reason | lit }} FROM (
{{ c.text }}
    ) q;
{% endfor %}
  END IF;
{% endfor %}
END
$check$;

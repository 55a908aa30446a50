-- A function that notes what the primary has in money and group columns of the rows that a range has merged changes into, where those changes leave
-- them alone and the standby's image says something else.
-- Parameters: tables [{no, name, table, key [{i, name}], values [{i, name, new (SQL over s), there (SQL over t)}]}].
CREATE OR REPLACE FUNCTION pg_temp.note_values(this_chunk integer) RETURNS void LANGUAGE plpgsql AS $note$
#variable_conflict use_column
BEGIN
{% for t in tables %}
  INSERT INTO his_emergency.primary_value (event, table_name, key, column_name, value)
  SELECT DISTINCT x.event, {{ t.name | lit }}, json_object(ARRAY[{% for k in t.key %}{{ k.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for k in t.key %}s.n{{ k.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text, v.name, v.there
  FROM pg_temp.stage_{{ t.no }} s JOIN pg_temp.unit x ON x.u = s.u
  JOIN {{ t.table }} t ON {% for k in t.key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

  CROSS JOIN LATERAL (VALUES {% for v in t["values"] %}({{ v.i }}, {{ v.name | lit }}, {{ v.new }}, {{ v.there }}){{ ", " if not loop.last }}{% endfor %}) v (i, name, ours, there)
  WHERE s.chunk = this_chunk AND x.chunk = this_chunk AND x.status = 'new' AND x.applied AND s.op = 'U' AND NOT s.left_out
    -- What is told of one row in a list is prepared anew for every row, and few rows have anything to tell.
    AND ({% for v in t["values"] %}{{ v.new }} <> {{ v.there }}{{ " OR " if not loop.last }}{% endfor %})
    AND NOT (v.i = ANY (s.changed)) AND v.ours <> v.there
  ON CONFLICT DO NOTHING;
{% endfor %}
END
$note$;

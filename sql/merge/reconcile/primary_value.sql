-- Notes what the primary has in money and group columns of the rows that a range has merged changes into, where those changes leave them alone and the
-- standby's image says something else. Parameters: no, name, table, key [{i, name}], values [{i, name, new (SQL over s), there (SQL over t)}].
INSERT INTO his_emergency.primary_value (event, table_name, key, column_name, value)
SELECT DISTINCT x.event, {{ name | lit }}, json_object(ARRAY[{% for k in key %}{{ k.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for k in key %}s.n{{ k.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text, v.name, v.there
FROM pg_temp.outcome o JOIN pg_temp.unit x USING (u) JOIN pg_temp.stage_{{ no }} s USING (u)
JOIN {{ table }} t ON {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

CROSS JOIN LATERAL (VALUES {% for v in values %}({{ v.i }}, {{ v.name | lit }}, {{ v.new }}, {{ v.there }}){{ ", " if not loop.last }}{% endfor %}) v (i, name, ours, there)
WHERE o.status = 'merged' AND s.op = 'U' AND NOT s.left_out AND NOT (v.i = ANY (s.changed)) AND v.ours <> v.there
ON CONFLICT DO NOTHING;

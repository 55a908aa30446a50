-- Notes the rows of one table that the units of this transaction bring. Parameters: a target.
INSERT INTO his_emergency.brought (table_name, key)
SELECT {{ name | lit }}, json_object(ARRAY[{% for k in key %}{{ k.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for k in key %}s.n{{ k.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text
FROM pg_temp.outcome o JOIN pg_temp.stage_{{ no }} s USING (u)
WHERE o.status = 'merged' AND (s.op = 'I' OR s.rekeyed) AND NOT s.left_out
ON CONFLICT DO NOTHING;

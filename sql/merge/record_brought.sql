-- Notes the rows of one table that the units of this transaction bring, or that they give the values by which a row of the gap is looked for. Parameters: a target; a part of record.sql.
INSERT INTO his_emergency.brought (table_name, key, site)
SELECT {{ name | lit }}, json_object(ARRAY[{% for k in key %}{{ k.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for k in key %}s.n{{ k.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text, pg_catalog.split_part(x.event, '-', 1)
FROM pg_temp.outcome o JOIN pg_temp.stage_{{ no }} s USING (u) JOIN pg_temp.unit x USING (u)
WHERE o.status = 'merged' AND (s.op = 'I' OR s.rekeyed OR s.changed && ARRAY[{% for q in searches %}{{ q.columns | map(attribute="i") | join(", ") }}{{ ", " if not loop.last }}{% endfor %}]::integer[]) AND NOT s.left_out
ON CONFLICT DO NOTHING;

-- Counters below zero on rows of one table that the event has merged a change of them into. Parameters: no, table, key [{i, name}], counters [{i, name}].
SELECT DISTINCT json_object(ARRAY[{% for k in key %}{{ k.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for k in key %}s.n{{ k.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text, v.name, v.now::text
FROM pg_temp.did_{{ no }} s
JOIN {{ table }} t ON {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

CROSS JOIN LATERAL (VALUES {% for c in counters %}({{ c.name | lit }}, t.{{ c.name | id }}::numeric, NOT record_image_eq(ROW(s.o{{ c.i }}), ROW(s.n{{ c.i }}))){{ ", " if not loop.last }}{% endfor %}) v (name, now, changed)
WHERE s.ours AND s.status = 'merged' AND s.op <> 'D' AND v.changed AND v.now < 0
ORDER BY 1, 2

-- Points one table's staged changes at a row that a person has named instead of ours. Parameters: no, unit, seq (of the row that falls away; 0 when
-- it is of another table), counters (the unit's own differences fall away too), weak [i], moves [[{i, type, from, to}]] (columns that move together),
-- units [name] (only of these; all when empty).
{% if seq %}
UPDATE pg_temp.raw_{{ no }} r SET left_out = true FROM pg_temp.unit u WHERE u.b = r.b AND u.xid = r.xid AND u.name = {{ unit | lit }} AND r.seq = {{ seq }};
{% endif %}
{% if counters and weak %}
UPDATE pg_temp.raw_{{ no }} r SET left_out = true FROM pg_temp.unit u WHERE u.b = r.b AND u.xid = r.xid AND u.name = {{ unit | lit }} AND r.op = 'U'
  AND {% for c in others %}record_image_eq(ROW(r.o{{ c }}), ROW(r.n{{ c }})){{ " AND " if not loop.last }}{% else %}true{% endfor %};
{% endif %}
{% for move in moves %}
{% for image in ["o", "n"] %}
UPDATE pg_temp.raw_{{ no }} r SET {% for c in move %}{{ image }}{{ c.i }} = {{ c.to | lit }}::{{ c.type }}{{ ", " if not loop.last }}{% endfor %}

WHERE NOT left_out{% if units %} AND EXISTS (SELECT FROM pg_temp.unit u WHERE u.b = r.b AND u.xid = r.xid AND u.name IN ({% for n in units %}{{ n | lit }}{{ ", " if not loop.last }}{% endfor %})){% endif %} AND {% for c in move %}r.{{ image }}{{ c.i }} = {{ c.from | lit }}::{{ c.type }}{{ " AND " if not loop.last }}{% endfor %};
{% endfor %}
{% endfor %}

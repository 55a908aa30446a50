-- The chosen units' changes of one captured table, in the order they happened. Parameters: no, width (columns of the table), first (the
-- first queue number), alone (from there on there are no others).
COPY (
  SELECT c.seq, c.xid, c.op, c.depth, c.left_out, c.at, c.knows
{% for n in range(1, width + 1) %}
    , c.o{{ n }}
{% endfor %}
{% for n in range(1, width + 1) %}
    , c.n{{ n }}
{% endfor %}
  FROM his_emergency.change_{{ no }} c{% if not alone %} JOIN pg_temp.chosen ON chosen.xid = c.xid{% endif %}

  WHERE c.seq >= {{ first }} ORDER BY c.seq
) TO STDOUT (FORMAT csv)

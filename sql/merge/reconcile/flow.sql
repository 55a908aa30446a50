-- What one table's changes of the event add to each money column and group (charge) or take from it (refund), by outcome. A change that moves an
-- amount to another group takes it from the one and adds it to the other.
-- Parameters: no, name, money [{column, old, new}] (amounts in both images of s), group_old, group_new (SQL over s).
{% for m in money %}
INSERT INTO pg_temp.flow (table_name, column_name, "group", kind, status, amount)
SELECT {{ name | lit }}, {{ m.column | lit }}, f."group", CASE WHEN f.amount < 0 THEN 'refund' ELSE 'charge' END, s.status, sum(f.amount)
FROM pg_temp.did_{{ no }} s
CROSS JOIN LATERAL (SELECT {{ group_old }} AS old_group, {{ group_new }} AS new_group, {{ m.old }} AS old, {{ m.new }} AS new) v
CROSS JOIN LATERAL (VALUES
  (v.new_group, CASE WHEN s.op = 'D' THEN 0 WHEN s.op = 'U' AND v.old_group = v.new_group THEN v.new - v.old ELSE v.new END),
  (v.old_group, CASE WHEN s.op = 'D' OR s.op = 'U' AND v.old_group <> v.new_group THEN -v.old ELSE 0 END)) f ("group", amount)
WHERE s.ours AND f.amount <> 0 GROUP BY 3, 4, 5;
{% endfor %}

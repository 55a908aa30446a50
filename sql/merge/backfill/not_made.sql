-- A row that is there already, with other content, is not made by the unit that has it: what refers to it need not wait. Parameters: no, table, key [{i, name}].
UPDATE pg_temp.touch w SET takes = false FROM pg_temp.stage_{{ no }} s JOIN {{ table }} t ON {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

WHERE s.op = 'I' AND w.u = s.u AND w.seq = s.seq;

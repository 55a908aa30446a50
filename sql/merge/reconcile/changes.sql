-- One table's captured changes with what became of their units (status '': the ledger does not know the unit); their rows are counted.
-- Parameters: no, columns [{i}], event (whose changes are ours; others come after it).
CREATE TEMPORARY TABLE did_{{ no }} AS
SELECT u.u, u.event, u.event = {{ event | lit }} AS ours, coalesce(u.prior, '') AS status, s.seq, s.op, s.left_out{% for c in columns %}, s.o{{ c.i }}, s.n{{ c.i }}{% endfor %}

FROM pg_temp.raw_{{ no }} s JOIN pg_temp.unit u USING (b, xid);
DROP TABLE pg_temp.raw_{{ no }};
ANALYZE pg_temp.did_{{ no }};

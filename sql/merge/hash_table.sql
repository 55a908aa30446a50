-- The content of one table's changes as one number a unit, before anything is read into it. Parameters: no, name, columns [{i}].
INSERT INTO pg_temp.hash
SELECT b, xid, sum(('x' || "left"(md5({{ name | lit }} || ROW(s.seq, s.op, s.left_out{% for c in columns %}, s.o{{ c.i }}, s.n{{ c.i }}{% endfor %})::text), 15))::bit(60)::bigint)
FROM pg_temp.raw_{{ no }} s GROUP BY b, xid;

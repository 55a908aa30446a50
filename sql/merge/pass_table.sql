-- Lays one table's staged changes chunk by chunk, so that a chunk reads its own and nothing else, and notes which pass of its chunk each change
-- of a row belongs to, when the chunk changes the row several times. Parameters: no, columns [{i}], joined [i], key_rule.
CREATE TEMPORARY TABLE placed AS
SELECT s.u, s.seq, s.op, s.left_out, s.knows{% for c in columns %}, s.o{{ c.i }}, s.n{{ c.i }}{% endfor %}, s.changed, s.ok, s.nk, s.weak, s.rekeyed, s.force,
  coalesce(q.pass, 1)::integer AS pass, x.chunk
FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u
LEFT JOIN (
  SELECT s.u, s.seq, row_number() OVER (PARTITION BY x.chunk, s.ok ORDER BY s.u, s.seq) AS pass
  FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u JOIN pg_temp.multi m ON m.rule = {{ key_rule }} AND m.value = s.ok
  WHERE s.op = 'U' AND NOT s.weak AND NOT s.left_out AND x.status = 'new' AND NOT x.hard) q ON q.u = s.u AND q.seq = s.seq
ORDER BY x.chunk, s.u, s.seq;
DROP TABLE pg_temp.stage_{{ no }};
ALTER TABLE pg_temp.placed RENAME TO stage_{{ no }};
CREATE INDEX ON pg_temp.stage_{{ no }} (chunk);
CREATE INDEX ON pg_temp.stage_{{ no }} (u, seq);
CREATE INDEX ON pg_temp.stage_{{ no }} (u) WHERE rekeyed;
CREATE INDEX ON pg_temp.stage_{{ no }} (u) WHERE pass > 1;
ANALYZE pg_temp.stage_{{ no }} (u, seq, op, left_out, changed, ok, nk, weak, rekeyed, force, pass, chunk{% for k in joined %}, o{{ k }}, n{{ k }}{% endfor %});

-- Which pass of its chunk each change of a row belongs to, when the chunk changes the row several times. Parameters: no, key_rule.
UPDATE pg_temp.stage_{{ no }} s SET pass = q.pass
FROM (
  SELECT s.u, s.seq, row_number() OVER (PARTITION BY x.chunk, s.ok ORDER BY s.u, s.seq) AS pass
  FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u JOIN pg_temp.multi m ON m.rule = {{ key_rule }} AND m.value = s.ok
  WHERE s.op = 'U' AND NOT s.weak AND NOT s.left_out AND x.status = 'new' AND NOT x.hard) q
WHERE q.pass > 1 AND s.u = q.u AND s.seq = q.seq;
CREATE INDEX ON pg_temp.stage_{{ no }} (u) WHERE pass > 1;

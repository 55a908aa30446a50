-- Which units must be applied one by one in their order; all others can go in set-wise, because nothing of theirs depends on one of those.
-- Parameters: tables (targets).
{% for t in tables %}
UPDATE pg_temp.unit x SET hard = true FROM pg_temp.stage_{{ t.no }} s
WHERE s.u = x.u AND x.status = 'new' AND NOT s.left_out
{% if t.replay %}
  AND (s.op = 'D' OR s.rekeyed OR s.force IS NOT NULL
    OR s.op = 'U' AND s.changed = '{}'
    OR NOT s.weak AND EXISTS (SELECT FROM pg_temp.late l WHERE l.u = s.u AND l.seq = s.seq AND (s.op <> 'U' OR l.rule <> {{ t.key_rule }}))
{% for c in t.columns if c.i in t.weak and not c.counter %}{% if loop.first %}
    -- Set-wise, what changes only such columns comes after all else.
    OR s.op = 'U' AND NOT s.weak AND EXISTS (SELECT FROM pg_temp.touch w JOIN pg_temp.multi USING (rule, value) WHERE w.rule = {{ t.key_rule }} AND w.value = s.ok AND NOT w.strong AND (w.u, w.seq) < (s.u, s.seq))
{% endif %}{% endfor %}
    OR s.op = 'U' AND EXISTS (SELECT FROM pg_temp.touch w WHERE w.u = s.u AND w.seq = s.seq AND w.rule <> {{ t.key_rule }} AND w.frees)
{% for c in t.columns if c.counter %}
    OR s.op = 'U' AND {{ c.i }} = ANY (s.changed) AND (s.o{{ c.i }} IS NULL OR s.n{{ c.i }} IS NULL)
{% endfor %}
{% for c in t.columns if c.guarded == false and c.type is endingwith("[]") %}
    OR s.weak AND {{ c.i }} = ANY (s.changed)
{% endfor %}
  )
{% endif %};
{% endfor %}
WITH RECURSIVE hard(u) AS (
  SELECT u FROM pg_temp.unit WHERE hard
  UNION
  SELECT e.u FROM hard JOIN pg_temp.edge e ON e.on_u = hard.u)
UPDATE pg_temp.unit x SET hard = true FROM hard WHERE x.u = hard.u AND NOT x.hard;
ANALYZE pg_temp.unit (u, prior, status, hard, recorded, chunk);
-- The few that are to be written into the ledger are found without reading all units for each chunk.
CREATE INDEX ON pg_temp.unit (u) WHERE status IN ('held', 'rejected') AND NOT recorded;

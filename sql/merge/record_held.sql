-- Writes conflicts and the changes of held units of one table into the ledger. Parameters: a target; a part of record.sql.
{% macro key_of(a, b) %}json_object(ARRAY[{% for k in key %}{{ k.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for k in key %}coalesce({{ a }}{{ k.i }}, {{ b }}{{ k.i }})::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text{% endmacro %}
{% macro staged(p) %}json_object(ARRAY[{% for c in columns %}{{ c.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for c in columns %}s.{{ p }}{{ c.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[]){% endmacro %}
INSERT INTO his_emergency.conflict (event, generation, xid, seq, table_name, key, kind, rule, reason, differ, standby, "primary", take, by_policy)
SELECT x.event, x.generation, x.xid, c.seq, {{ name | lit }}, {{ key_of("s.o", "s.n") }}, c.kind, c.rule, c.reason, c.differ,
  json_build_object('op', s.op, 'old', CASE WHEN s.op <> 'I' THEN {{ staged("o") }} END, 'new', CASE WHEN s.op <> 'D' THEN {{ staged("n") }} END)::text,
  coalesce(c.there, CASE WHEN c.rule = 'tried' THEN (SELECT json_object(ARRAY[{% for c in columns %}{{ c.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for c in columns %}t.{{ c.name | id }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text
    FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = coalesce(s.o{{ k.i }}, s.n{{ k.i }}){{ " AND " if not loop.last }}{% endfor %} LIMIT 1) END),
  c.take, c.by_policy
FROM pg_temp.conflict c JOIN pg_temp.unit x USING (u) JOIN pg_temp.stage_{{ no }} s USING (u, seq)
WHERE c.table_no = {{ no }}
  -- What a policy has decided is written down also when the unit is merged: no silent winner.
  -- One who is still to answer is not asked more; what else there is is found when the answer is in.
  AND (x.status IN ('held', 'rejected') AND NOT x.recorded AND NOT x.asked OR c.by_policy AND EXISTS (SELECT FROM pg_temp.outcome o WHERE o.u = x.u AND o.status = 'merged'))
  AND NOT EXISTS (SELECT FROM his_emergency.conflict k WHERE (k.event, k.generation, k.xid, k.seq, k.table_name, k.kind, k.rule) = (x.event, x.generation, x.xid, c.seq, {{ name | lit }}, c.kind, c.rule))
ORDER BY c.u, c.seq, c.kind, c.rule;
UPDATE his_emergency.conflict k SET "primary" = c.there, reason = c.reason, differ = c.differ
FROM pg_temp.conflict c JOIN pg_temp.unit x USING (u)
WHERE c.table_no = {{ no }} AND x.prior = 'held' AND NOT x.recorded AND c.take IS NULL AND c.rule <> 'tried'
  AND (k.event, k.generation, k.xid, k.seq, k.table_name, k.kind, k.rule) = (x.event, x.generation, x.xid, c.seq, {{ name | lit }}, c.kind, c.rule)
  AND (k."primary", k.reason, k.differ) IS DISTINCT FROM (c.there, c.reason, c.differ);
INSERT INTO his_emergency.change (event, generation, xid, seq, table_name, op, left_out, knows, columns, old, new)
SELECT x.event, x.generation, x.xid, s.seq, {{ name | lit }}, s.op, s.left_out, s.knows, ARRAY[{% for c in columns %}{{ c.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[],
  ARRAY[{% for c in columns %}s.o{{ c.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for c in columns %}s.n{{ c.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[]
FROM pg_temp.unit x JOIN pg_temp.stage_{{ no }} s USING (u)
WHERE x.status IN ('held', 'rejected') AND x.prior IS NULL AND NOT x.recorded;

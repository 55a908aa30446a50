-- What one table's staged changes changed, moved and touched. Parameters: no, name, columns [{i, data, read_back}], key [{i}],
-- key_rule, key_old, key_new (numbers of the key), weak [i], rules [{rule, old, new, document}], watched [{rule, old, columns [{i, name}]}], money [{column, difference}].
CREATE TEMPORARY TABLE stage_{{ no }} AS
SELECT u.u, s.seq, s.op, s.left_out, s.knows{% for c in columns %}, s.o{{ c.i }}, s.n{{ c.i }}{% endfor %},
  CASE WHEN s.op = 'U' THEN array_remove(ARRAY[
{% for c in columns if c.data %}
    CASE WHEN NOT (record_image_eq(ROW(s.o{{ c.i }}), ROW(s.n{{ c.i }}))) THEN {{ c.i }} END{{ "," if not loop.last }}
{% endfor %}
  ]::integer[], NULL) END AS changed,
  CASE WHEN s.op <> 'I' THEN {{ key_old }} END AS ok, CASE WHEN s.op <> 'D' THEN {{ key_new }} END AS nk,
  false AS weak, false AS rekeyed, NULL::text AS force, 1 AS pass
FROM pg_temp.raw_{{ no }} s JOIN pg_temp.unit u USING (b, xid) WHERE u.status <> 'done';
DROP TABLE pg_temp.raw_{{ no }};
UPDATE pg_temp.stage_{{ no }} SET weak = NOT (changed && ARRAY[{% for k in key %}{{ k.i }}{{ ", " if not loop.last }}{% endfor %}]::integer[]) AND changed <@ ARRAY[{{ weak | join(", ") }}]::integer[],
  rekeyed = ok <> nk
WHERE op = 'U' AND (changed <@ ARRAY[{{ weak | join(", ") }}]::integer[] OR ok <> nk);
CREATE INDEX ON pg_temp.stage_{{ no }} (u, seq);
INSERT INTO pg_temp.touch
SELECT s.u, s.seq, {{ key_rule }}, v.value, NOT s.weak, v.takes, v.frees
FROM pg_temp.stage_{{ no }} s CROSS JOIN LATERAL (VALUES (s.ok, false, s.op = 'D' OR s.rekeyed), (CASE WHEN s.op = 'I' OR s.rekeyed THEN s.nk END, true, false)) v (value, takes, frees)
WHERE v.value IS NOT NULL;
{% for r in rules %}
INSERT INTO pg_temp.touch
SELECT s.u, s.seq, {{ r.rule }}, v.value, true, v.takes, v.frees
FROM pg_temp.stage_{{ no }} s CROSS JOIN LATERAL (SELECT CASE WHEN s.op <> 'I' THEN {{ r.old }} END AS o, CASE WHEN s.op <> 'D' THEN {{ r.new }} END AS n) h
CROSS JOIN LATERAL (VALUES (h.o, false, h.o IS DISTINCT FROM h.n), (CASE WHEN h.o IS DISTINCT FROM h.n THEN h.n END, true, false)) v (value, takes, frees)
WHERE v.value IS NOT NULL{% if not r.document %} AND (v.takes OR v.frees){% else %} AND NOT s.weak{% endif %};
{% endfor %}
{% for w in watched %}
INSERT INTO pg_temp.guarded
SELECT s.u, {{ w.rule }}, {{ w.old }}, v.column_name FROM pg_temp.stage_{{ no }} s
CROSS JOIN LATERAL (VALUES {% for c in w.columns %}({{ c.i }}, {{ c.name | lit }}){{ ", " if not loop.last }}{% endfor %}) v (i, column_name)
WHERE s.op = 'U' AND v.i = ANY (s.changed) AND {{ w.old }} IS NOT NULL;
{% endfor %}
{% for m in money %}
INSERT INTO pg_temp.amount SELECT s.u, {{ name | lit }}, {{ m.column | lit }}, sum({{ m.difference }}) FROM pg_temp.stage_{{ no }} s GROUP BY s.u
  HAVING sum({{ m.difference }}) <> 0;
{% endfor %}
ANALYZE pg_temp.stage_{{ no }};

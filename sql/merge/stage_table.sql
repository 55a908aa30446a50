-- What one table's staged changes changed, moved and touched. Parameters: no, name, columns [{i, data, read_back}], key [{i}],
-- joined [i] (columns of the key and of references), key_rule, key_old, key_new (numbers of the key), weak [i], rules [{rule, old, new, document, columns [i] (when only these decide it)}], watched [{rule, old, columns [{i, name}]}], money [{column, difference}].
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
-- Branches of a UNION and not a list of values beside each row: a list is prepared anew for every row.
INSERT INTO pg_temp.touch
SELECT s.u, s.seq, {{ key_rule }}, s.ok, NOT s.weak, false, s.op = 'D' OR s.rekeyed FROM pg_temp.stage_{{ no }} s WHERE s.ok IS NOT NULL
UNION ALL
SELECT s.u, s.seq, {{ key_rule }}, s.nk, NOT s.weak, true, false FROM pg_temp.stage_{{ no }} s WHERE (s.op = 'I' OR s.rekeyed) AND s.nk IS NOT NULL;
{% for r in rules %}
WITH h AS MATERIALIZED (
  SELECT s.u, s.seq, CASE WHEN s.op <> 'I' THEN {{ r.old }} END AS o, CASE WHEN s.op <> 'D' THEN {{ r.new }} END AS n
  FROM pg_temp.stage_{{ no }} s{% if r.document %} WHERE NOT s.weak{% elif r.columns %} WHERE s.op <> 'U' OR s.changed && ARRAY[{{ r.columns | join(", ") }}]{% endif %})
INSERT INTO pg_temp.touch
SELECT u, seq, {{ r.rule }}, o, true, false, o IS DISTINCT FROM n FROM h WHERE o IS NOT NULL{% if not r.document %} AND o IS DISTINCT FROM n{% endif %}

UNION ALL
SELECT u, seq, {{ r.rule }}, n, true, true, false FROM h WHERE n IS NOT NULL AND o IS DISTINCT FROM n;
{% endfor %}
{% for w in watched %}
INSERT INTO pg_temp.guarded
SELECT s.u, {{ w.rule }}, {{ w.old }}, v.column_name FROM pg_temp.stage_{{ no }} s
CROSS JOIN LATERAL (VALUES {% for c in w.columns %}({{ c.i }}, {{ c.name | lit }}){{ ", " if not loop.last }}{% endfor %}) v (i, column_name)
WHERE s.op = 'U' AND s.changed && ARRAY[{% for c in w.columns %}{{ c.i }}{{ ", " if not loop.last }}{% endfor %}] AND v.i = ANY (s.changed) AND {{ w.old }} IS NOT NULL;
{% endfor %}
{% if money %}
WITH sums AS MATERIALIZED (SELECT s.u{% for m in money %}, sum({{ m.difference }}) AS a{{ loop.index }}{% endfor %} FROM pg_temp.stage_{{ no }} s GROUP BY s.u)
INSERT INTO pg_temp.amount
{% for m in money %}
SELECT u, {{ name | lit }}, {{ m.column | lit }}, a{{ loop.index }} FROM sums WHERE a{{ loop.index }} <> 0{{ ";" if loop.last else " UNION ALL" }}
{% endfor %}
{% endif %}
-- Of the images only what is joined by.
ANALYZE pg_temp.stage_{{ no }} (u, seq, op, left_out, changed, ok, nk, weak, rekeyed, force, pass{% for k in joined %}, o{{ k }}, n{{ k }}{% endfor %});

-- Finds, before anything is applied, what of one table's staged changes does not fit the primary. Parameters: a target (src/merge/target.rs),
-- captured [no] (tables that are staged).
{% macro image(a) %}json_object(ARRAY[{% for c in columns %}{{ c.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for c in columns %}{{ a }}.{{ c.name | id }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text{% endmacro %}
{% macro same_row(a, b, prefix) %}{% for k in key %}{{ a }}.{{ k.name | id }} = {{ b }}.{{ prefix }}{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}{% endmacro %}
-- Of keys touched more than once: the first change that made or took away the row, and the first change of each column.
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT DISTINCT ON (t.value) t.value, t.u, t.seq, t.takes FROM pg_temp.touch t JOIN pg_temp.multi USING (rule, value) JOIN pg_temp.unit x ON x.u = t.u
WHERE t.rule = {{ key_rule }} AND (t.takes OR t.frees) AND x.status <> 'rejected' ORDER BY t.value, t.u, t.seq;
CREATE TEMPORARY TABLE begun ON COMMIT DROP AS
SELECT DISTINCT ON (s.ok, c.i) s.ok AS value, c.i, s.u, s.seq FROM pg_temp.stage_{{ no }} s JOIN pg_temp.multi m ON m.rule = {{ key_rule }} AND m.value = s.ok
JOIN pg_temp.unit x ON x.u = s.u CROSS JOIN unnest(s.changed) c (i)
WHERE s.op = 'U' AND NOT s.weak AND x.status <> 'rejected' ORDER BY s.ok, c.i, s.u, s.seq;
CREATE INDEX ON pg_temp.made (value); CREATE INDEX ON pg_temp.begun (value); ANALYZE pg_temp.made; ANALYZE pg_temp.begun;

-- Updates and deletes: the row must be there, and what is changed must be as the standby knew it.
INSERT INTO pg_temp.conflict (u, seq, table_no, kind, rule, reason, differ, there)
SELECT s.u, s.seq, {{ no }}, CASE WHEN t.{{ key[0].name | id }} IS NULL THEN 'missing' ELSE 'changed' END, '', '', d.differ, CASE WHEN t.{{ key[0].name | id }} IS NOT NULL THEN {{ image("t") }} END
FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u
LEFT JOIN {{ table }} t ON {{ same_row("t", "s", "o") }}
CROSS JOIN LATERAL (SELECT CASE WHEN EXISTS (SELECT FROM pg_temp.late l WHERE l.u = s.u AND l.seq = s.seq AND l.rule = {{ key_rule }} AND l.value = s.ok)
  THEN coalesce((SELECT array_agg(f.i) FROM pg_temp.begun f WHERE f.value = s.ok AND (f.u, f.seq) < (s.u, s.seq)), '{}') ELSE '{}'::integer[] END AS before) b
CROSS JOIN LATERAL (SELECT CASE WHEN t.{{ key[0].name | id }} IS NULL OR s.weak THEN '{}' ELSE array_remove(ARRAY[
{% for c in columns if c.guarded %}
  CASE WHEN (s.op = 'D' OR {{ c.i }} = ANY (s.changed)) AND NOT ({{ c.i }} = ANY (b.before)) AND NOT record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.o{{ c.i }})) THEN {{ c.name | lit }} END,
{% endfor %}
  NULL]::text[], NULL) END AS differ) d
WHERE s.op <> 'I' AND NOT s.left_out AND x.status <> 'rejected'
  AND (t.{{ key[0].name | id }} IS NULL OR d.differ <> '{}')
  AND NOT EXISTS (SELECT FROM pg_temp.made m WHERE m.value = s.ok AND (m.u, m.seq) < (s.u, s.seq));

-- New keys: nobody may have them. A whole row that is there already, equal, is merged already.
INSERT INTO pg_temp.conflict (u, seq, table_no, kind, rule, reason, differ, there)
SELECT s.u, s.seq, {{ no }}, 'exists', '', '', d.differ, {{ image("t") }}
FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u JOIN {{ table }} t ON {{ same_row("t", "s", "n") }}
CROSS JOIN LATERAL (SELECT array_remove(ARRAY[
{% for c in columns if c.guarded %}
  CASE WHEN NOT record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.n{{ c.i }})) THEN {{ c.name | lit }} END,
{% endfor %}
  NULL]::text[], NULL) AS differ) d
WHERE (s.op = 'I' OR s.rekeyed) AND NOT s.left_out AND x.status <> 'rejected'
  AND NOT EXISTS (SELECT FROM pg_temp.late l WHERE l.u = s.u AND l.seq = s.seq AND l.rule = {{ key_rule }} AND l.value = s.nk);
WITH same AS (DELETE FROM pg_temp.conflict c USING pg_temp.stage_{{ no }} s WHERE c.table_no = {{ no }} AND c.kind = 'exists' AND c.differ = '{}' AND s.op = 'I' AND (s.u, s.seq) = (c.u, c.seq) RETURNING c.u, c.seq)
INSERT INTO pg_temp.already (u, seq, table_no) SELECT u, seq, {{ no }} FROM same;

{% for q in uniques %}
-- Unique rule {{ q.name }}: the value may not be another row's.
INSERT INTO pg_temp.conflict (u, seq, table_no, kind, rule, reason, differ, there)
SELECT DISTINCT ON (s.u, s.seq) s.u, s.seq, {{ no }}, 'unique', {{ q.name | lit }}, 'unique rule ' || {{ q.name | lit }}, '{}'::text[], {{ image("t") }}
FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u
JOIN pg_temp.touch w ON w.u = s.u AND w.seq = s.seq AND w.rule = {{ q.rule }} AND w.takes
-- The row as it will be: what ours left alone is as the primary has it by now.
LEFT JOIN {{ table }} cur ON s.op = 'U' AND NOT s.rekeyed AND {{ same_row("cur", "s", "o") }}
LEFT JOIN LATERAL (SELECT array_agg(i) AS touched FROM pg_temp.stage_{{ no }} e, unnest(e.changed) i WHERE s.op = 'U' AND e.nk = s.ok AND (e.u, e.seq) < (s.u, s.seq)) b ON true
CROSS JOIN LATERAL (SELECT {% for k in q["keys"] %}({{ k }}) AS v{{ loop.index }}{{ ", " if not loop.last }}{% endfor %} FROM (SELECT {% for c in columns %}CASE WHEN cur.{{ key[0].name | id }} IS NULL OR {{ c.i }} = ANY (s.changed || b.touched) THEN s.n{{ c.i }} ELSE cur.{{ c.name | id }}::{{ c.type }} END AS {{ c.name | id }}{{ ", " if not loop.last }}{% endfor %}) image) v
JOIN (SELECT {% for k in q["keys"] %}({{ k }}) AS v{{ loop.index }}, {% endfor %}{% for k in key %}{{ k.name | id }} AS k{{ k.i }}{{ ", " if not loop.last }}{% endfor %} FROM {{ table }}{% if q.predicate %} WHERE {{ q.predicate }}{% endif %}) f
  ON {% for k in q["keys"] %}f.v{{ loop.index }} = v.v{{ loop.index }}{{ " AND " if not loop.last }}{% endfor %}

JOIN {{ table }} t ON {{ same_row("t", "f", "k") }}
WHERE NOT s.left_out AND x.status <> 'rejected'
  AND NOT ({% for k in key %}f.k{{ k.i }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %})
  AND (s.op = 'I' OR NOT ({% for k in key %}f.k{{ k.i }} = s.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}))
  AND NOT EXISTS (SELECT FROM pg_temp.late l WHERE l.u = s.u AND l.seq = s.seq AND l.rule = w.rule AND l.value = w.value)
  -- That row has another value by then, or is gone, on the standby. Under another key it may have: that is found by trying.
  AND NOT EXISTS (SELECT FROM pg_temp.stage_{{ no }} e WHERE e.ok = {{ key_there }} AND (e.u, e.seq) < (s.u, s.seq)
    AND (e.op = 'D' OR e.rekeyed OR EXISTS (SELECT FROM pg_temp.touch g WHERE g.u = e.u AND g.seq = e.seq AND g.rule = {{ q.rule }} AND (g.frees OR g.takes))))
  AND NOT EXISTS (SELECT FROM pg_temp.stage_{{ no }} e WHERE e.op = 'I' AND e.nk = {{ key_there }} AND (e.u, e.seq) < (s.u, s.seq))
  AND NOT EXISTS (SELECT FROM pg_temp.already a WHERE a.u = s.u AND a.seq = s.seq AND a.table_no = {{ no }})
ORDER BY s.u, s.seq;
{% endfor %}

{% for r in references %}
-- Reference {{ r.name }}: what it points to is there, or comes with an earlier unit.
INSERT INTO pg_temp.conflict (u, seq, table_no, kind, rule, reason, differ, there)
SELECT s.u, s.seq, {{ no }}, 'parent', {{ r.name | lit }}, 'foreign key ' || {{ r.name | lit }} || ': no such row in ' || {{ r.to_name | lit }}, ARRAY[{% for c in r.columns %}{{ c.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], NULL
FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u
WHERE s.op <> 'D' AND NOT s.left_out AND x.status <> 'rejected' AND (s.op = 'I' OR s.changed && ARRAY[{% for c in r.columns %}{{ c.i }}{{ ", " if not loop.last }}{% endfor %}]::integer[])
  AND {% for c in r.columns %}s.n{{ c.i }} IS NOT NULL{{ " AND " if not loop.last }}{% endfor %}

{% if r.deferrable %}
  -- Looked at when the unit is committed: what becomes of the row later in the unit counts, also under another key.
  AND NOT EXISTS (
    WITH RECURSIVE known_as (key, seq) AS (
      SELECT s.nk, s.seq
      UNION ALL
      SELECT e.nk, e.seq FROM known_as k JOIN pg_temp.stage_{{ no }} e ON e.u = s.u AND e.ok = k.key AND e.seq > k.seq AND e.rekeyed)
    SELECT FROM known_as k JOIN pg_temp.stage_{{ no }} g ON g.u = s.u AND g.ok = k.key AND g.seq > k.seq
     WHERE g.op = 'D' OR g.changed && ARRAY[{% for c in r.columns %}{{ c.i }}{{ ", " if not loop.last }}{% endfor %}]::integer[])
{% endif %}
  AND NOT EXISTS (SELECT FROM {{ r.to_table }} p WHERE {% for c in r.columns %}p.{{ r.to_columns[loop.index0] | id }} = s.n{{ c.i }}{{ " AND " if not loop.last }}{% endfor %})
{% if r.rule %}
  AND NOT EXISTS (SELECT FROM pg_temp.touch w JOIN pg_temp.unit y ON y.u = w.u WHERE w.rule = {{ r.rule }} AND w.value = {{ r.new }} AND w.takes AND w.u <= s.u AND y.status <> 'rejected')
{% endif %};
{% endfor %}

{% for r in referenced_by %}
-- Reference {{ r.name }} of {{ r.from_name }}: nothing that the standby did not know may hang on what goes away.
INSERT INTO pg_temp.conflict (u, seq, table_no, kind, rule, reason, differ, there)
SELECT DISTINCT ON (s.u, s.seq) s.u, s.seq, {{ no }}, 'parent', {{ r.name | lit }}, 'foreign key ' || {{ r.name | lit }} || ': a row of ' || {{ r.from_name | lit }} || ' still refers to it', '{}'::text[], NULL
FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u
JOIN {{ r.from_table }} c ON {% for k in r.columns %}c.{{ r.from_columns[loop.index0] | id }} = s.o{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

WHERE NOT s.left_out AND x.status <> 'rejected' AND (s.op = 'D' OR s.changed && ARRAY[{% for k in r.columns %}{{ k.i }}{{ ", " if not loop.last }}{% endfor %}]::integer[])
  -- What an earlier unit makes has nothing of the gap hanging on it, unless its key was there already.
  AND NOT EXISTS (SELECT FROM pg_temp.made m WHERE m.value = s.ok AND m.takes AND (m.u, m.seq) < (s.u, s.seq)
    AND NOT EXISTS (SELECT FROM pg_temp.already a WHERE (a.u, a.seq, a.table_no) = (m.u, m.seq, {{ no }})))
  -- A value that the unit gives to another row keeps its references.
  AND NOT EXISTS (SELECT FROM pg_temp.touch w WHERE w.rule = {{ r.rule }} AND w.value = {{ r.old }} AND w.takes AND w.u = s.u AND w.seq > s.seq)
{% if r.from_no %}
  AND NOT EXISTS (SELECT FROM pg_temp.stage_{{ r.from_no }} g JOIN pg_temp.unit y ON y.u = g.u WHERE g.ok = {{ r.from_key }} AND g.u <= s.u AND y.status <> 'rejected'
    AND (g.op = 'D' OR g.rekeyed OR g.changed && ARRAY[{{ r.from_positions | join(", ") }}]::integer[]))
{% endif %};
{% endfor %}

{% for w in watches %}
-- Guard of {{ w.column }}: the parent's columns are as the standby knew them, or as an earlier unit leaves them.
INSERT INTO pg_temp.conflict (u, seq, table_no, kind, rule, reason, differ, there)
SELECT s.u, s.seq, {{ no }}, 'parent', 'guard ' || {{ w.column | lit }}, 'guard of ' || {{ w.column | lit }} || ': ' || {{ w.to_name | lit }} || ' was changed on the primary (' || array_to_string(d.differ, ', ') || ')', d.differ,
  json_object(ARRAY[{% for c in w.to_all %}{{ c | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for c in w.to_all %}p.{{ c | id }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text
FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u
JOIN {{ w.to_table }} p ON {% for c in w.columns %}p.{{ w.to_columns[loop.index0] | id }} = s.n{{ c.i }}{{ " AND " if not loop.last }}{% endfor %}

CROSS JOIN LATERAL (SELECT s.knows::json -> 'guard' -> {{ w.column | lit }} AS known) k
CROSS JOIN LATERAL (SELECT array_remove(ARRAY[
{% for c in w.watched %}
  CASE WHEN k.known ->> {{ loop.index0 }} IS DISTINCT FROM '=' || p.{{ c | id }}::text
    AND NOT EXISTS (SELECT FROM pg_temp.guarded g WHERE g.rule = {{ w.rule }} AND g.value = {{ w.new }} AND g.column_name = {{ c | lit }} AND g.u <= s.u) THEN {{ c | lit }} END,
{% endfor %}
  NULL]::text[], NULL) AS differ) d
WHERE s.op <> 'D' AND NOT s.left_out AND x.status <> 'rejected' AND k.known IS NOT NULL AND d.differ <> '{}'
{% if w.rule %}
  AND NOT EXISTS (SELECT FROM pg_temp.touch v WHERE v.rule = {{ w.rule }} AND v.value = {{ w.new }} AND v.takes AND v.u <= s.u)
{% endif %};
{% endfor %}

{% for q in searches %}
-- {{ q.name }}: no row of the gap may be the same. What the standby knew, what its site itself touched, and what a merge brought from its site is no row of the gap.
INSERT INTO pg_temp.conflict (u, seq, table_no, kind, rule, reason, differ, there)
SELECT DISTINCT ON (s.u, s.seq) s.u, s.seq, {{ no }}, 'twin', {{ q.name | lit }}, {% if q.once %}'once: ' || {{ q.name | lit }}{% else %}'same_as: ' || {{ q.columns | map(attribute="name") | join(", ") | lit }}{% endif %}, '{}'::text[], {{ image("t") }}
FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x ON x.u = s.u
JOIN {{ table }} t ON {% for c in q.columns %}t.{{ c.name | id }} = s.n{{ c.i }}{{ " AND " if not loop.last }}{% endfor %}

WHERE {% if q.once %}(s.op = 'I' OR {{ q.columns[0].i }} = ANY (s.changed)){% else %}s.op = 'I'{% endif %} AND NOT s.left_out AND x.status <> 'rejected'
  AND NOT ({{ same_row("t", "s", "n") }})
  AND NOT coalesce((s.knows::jsonb -> {% if q.once %}'once' -> {{ q.name | lit }}{% else %}'same_as'{% endif %}) @> jsonb_build_array(jsonb_build_object({% for k in key %}{{ k.name | lit }}, t.{{ k.name | id }}::text{{ ", " if not loop.last }}{% endfor %})), false)
  AND NOT EXISTS (SELECT FROM pg_temp.touch v JOIN pg_temp.unit y ON y.u = v.u WHERE v.rule = {{ key_rule }} AND v.value = {{ key_there }} AND pg_catalog.split_part(y.event, '-', 1) = pg_catalog.split_part(x.event, '-', 1))
  AND NOT EXISTS (SELECT FROM his_emergency.brought b WHERE coalesce(b.site = pg_catalog.split_part(x.event, '-', 1), true) AND b.table_name = {{ name | lit }} AND b.key = json_object(ARRAY[{% for k in key %}{{ k.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for k in key %}t.{{ k.name | id }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text)
  AND NOT EXISTS (SELECT FROM pg_temp.already a WHERE a.u = s.u AND a.seq = s.seq AND a.table_no = {{ no }})
ORDER BY s.u, s.seq, {% for k in key %}t.{{ k.name | id }}{{ ", " if not loop.last }}{% endfor %};
{% endfor %}
DROP TABLE pg_temp.made, pg_temp.begun;

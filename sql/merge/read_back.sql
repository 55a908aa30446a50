-- Applied changes of a range that the primary does not hold as written; of each key the last change counts, also one that took it away.
-- Parameters: no, table, key [{i, name}], columns [{i, name, type, read_back}]; a part of check_range.sql.
{% set kept = columns | selectattr("read_back") | list %}
{% macro images() %}{% for k in key %}, s.o{{ k.i }}{% if not k.i in kept | map(attribute="i") | list %}, s.n{{ k.i }}{% endif %}{% endfor %}{% for c in kept %}, s.n{{ c.i }}{% endfor %}{% endmacro %}
{% macro applied() %}
    FROM pg_temp.stage_{{ no }} s JOIN pg_temp.unit x USING (u)
    WHERE x.applied AND s.chunk = this_chunk AND x.chunk = this_chunk AND NOT s.left_out
      AND NOT EXISTS (SELECT FROM pg_temp.already a WHERE (a.u, a.seq, a.table_no) = (s.u, s.seq, {{ no }}))
{%- endmacro %}
SELECT s.u, s.seq
FROM (
  SELECT DISTINCT ON (value) * FROM (
    SELECT s.u, s.seq, s.changed{{ images() }}, coalesce(s.nk, s.ok) AS value, s.op AS what{{ applied() }} AND coalesce(s.nk, s.ok) IS NOT NULL
    UNION ALL
    SELECT s.u, s.seq, s.changed{{ images() }}, s.ok, 'D'{{ applied() }} AND s.rekeyed
      -- Where none is, this branch is not looked into.
      AND EXISTS (SELECT FROM pg_temp.stage_{{ no }} r WHERE r.rekeyed)) k
  ORDER BY value, u DESC, seq DESC) s
LEFT JOIN {{ table }} t ON {% for k in key %}t.{{ k.name | id }} = CASE WHEN s.what = 'D' THEN s.o{{ k.i }} ELSE s.n{{ k.i }} END{{ " AND " if not loop.last }}{% endfor %}

WHERE CASE WHEN s.what = 'D' THEN t.{{ key[0].name | id }} IS NOT NULL
  WHEN t.{{ key[0].name | id }} IS NULL THEN true
{% if kept %}
  -- Nearly every row is as written, and that is seen at once.
  WHEN record_image_eq(ROW({% for c in kept %}t.{{ c.name | id }}::{{ c.type }}{{ ", " if not loop.last }}{% endfor %}), ROW({% for c in kept %}s.n{{ c.i }}{{ ", " if not loop.last }}{% endfor %})) THEN false
{% endif %}
  WHEN s.what = 'I' THEN {{ "true" if kept else "false" }}
  ELSE false{% for c in kept %} OR ({{ c.i }} = ANY (s.changed) AND NOT (record_image_eq(ROW(t.{{ c.name | id }}::{{ c.type }}), ROW(s.n{{ c.i }})))){% endfor %} END

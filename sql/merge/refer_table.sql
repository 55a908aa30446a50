-- What one table's staged changes reference of what any staged change touches strongly. Parameters: no, refers [{rule, old, new, document, guard,
-- columns [i] (when only these decide it)}].
{% for r in refers %}
WITH h AS MATERIALIZED (
  SELECT s.u, s.weak, CASE WHEN s.op <> 'I' THEN {{ r.old }} END AS o, CASE WHEN s.op <> 'D' THEN {{ r.new }} END AS n
  FROM pg_temp.stage_{{ no }} s{% if r.columns and not r.document %} WHERE s.op <> 'U' OR s.changed && ARRAY[{{ r.columns | join(", ") }}]{% endif %})
INSERT INTO pg_temp.refer
SELECT DISTINCT v.u, {{ r.rule }}, v.value, v.takes, v.releases, {{ r.document }}, v.takes AND {{ r.guard }}
FROM (
  SELECT u, o AS value, false AS takes, o IS DISTINCT FROM n AS releases FROM h WHERE o IS NOT NULL AND (o IS DISTINCT FROM n{% if r.document %} OR NOT weak{% endif %})
  UNION ALL
  SELECT u, n, true, false FROM h WHERE n IS NOT NULL AND o IS DISTINCT FROM n) v
WHERE v.value IN (SELECT t.value FROM pg_temp.touch t WHERE t.rule = {{ r.rule }} AND t.strong{% if r.guard %} UNION ALL SELECT g.value FROM pg_temp.guarded g WHERE g.rule = {{ r.rule }}{% endif %});
{% endfor %}

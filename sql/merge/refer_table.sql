-- What one table's staged changes reference of what any staged change touches strongly. Parameters: no, refers [{rule, old, new, document, guard}].
{% for r in refers %}
INSERT INTO pg_temp.refer
SELECT DISTINCT s.u, {{ r.rule }}, v.value, v.takes, v.releases, {{ r.document }}, v.takes AND {{ r.guard }}
FROM pg_temp.stage_{{ no }} s CROSS JOIN LATERAL (SELECT CASE WHEN s.op <> 'I' THEN {{ r.old }} END AS o, CASE WHEN s.op <> 'D' THEN {{ r.new }} END AS n) h
CROSS JOIN LATERAL (VALUES (h.o, false, h.o IS DISTINCT FROM h.n), (CASE WHEN h.o IS DISTINCT FROM h.n THEN h.n END, true, false)) v (value, takes, releases)
WHERE v.value IN (SELECT t.value FROM pg_temp.touch t WHERE t.rule = {{ r.rule }} AND t.strong{% if r.guard %} UNION ALL SELECT g.value FROM pg_temp.guarded g WHERE g.rule = {{ r.rule }}{% endif %})
  AND (v.takes OR v.releases{% if r.document %} OR NOT s.weak{% endif %});
{% endfor %}

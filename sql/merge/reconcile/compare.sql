-- Merged rows of one table that the primary holds otherwise: key, whether the row should be there, whether it is, the values that it should have and has.
-- Parameters: no, name, table, key [{i, name}], values [{at (1 the first), i, name, there (SQL over t), money, kept}].
SELECT q.key, q.wanted, q.found, q.expected, q.actual
FROM (
  SELECT r.key, r.there AS wanted, t.{{ key[0].name | id }} IS NOT NULL AS found,
    ARRAY[{% for v in values %}coalesce(r.t{{ v.i }}, p.had ->> {{ v.name | lit }}, r.e{{ v.i }}){{ ", " if not loop.last }}{% endfor %}]::text[] AS expected,
    ARRAY[{% for v in values %}CASE WHEN t.{{ key[0].name | id }} IS NOT NULL THEN {{ v.there }} END{{ ", " if not loop.last }}{% endfor %}]::text[] AS actual
  FROM (SELECT r.*, json_object(ARRAY[{% for k in key %}{{ k.name | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for k in key %}r.k{{ k.i }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text AS key FROM pg_temp.row_{{ no }} r) r
  LEFT JOIN {{ table }} t ON {% for k in key %}t.{{ k.name | id }} = r.k{{ k.i }}{{ " AND " if not loop.last }}{% endfor %}

  LEFT JOIN (SELECT event, key, json_object_agg(column_name, value) AS had FROM his_emergency.primary_value WHERE table_name = {{ name | lit }} GROUP BY event, key) p ON p.event = r.event AND p.key = r.key) q
WHERE q.wanted <> q.found
{% for v in values if v.kept %}
  OR q.wanted AND {% if v.money %}q.expected[{{ v.at }}]::numeric <> q.actual[{{ v.at }}]::numeric{% else %}q.expected[{{ v.at }}] <> q.actual[{{ v.at }}]{% endif %}

{% endfor %}
ORDER BY q.key

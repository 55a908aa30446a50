-- Counts the rows of a table that the staged ones change. Parameters: table (quoted), stage, key (columns), columns (that are compared).
SELECT pg_catalog.count(*) FROM {{ table }} t JOIN pg_temp.{{ stage | id }} s ON {% for c in key %}t.{{ c | id }} = s.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %}
WHERE ROW({% for c in columns %}{{ ", " if not loop.first }}t.{{ c | id }}{% endfor %})::text IS DISTINCT FROM ROW({% for c in columns %}{{ ", " if not loop.first }}s.{{ c | id }}{% endfor %})::text

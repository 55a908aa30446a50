-- Counts the rows of a table whose keys are staged. Parameters: table (quoted), stage, key (columns).
SELECT pg_catalog.count(*) FROM {{ table }} t JOIN pg_temp.{{ stage | id }} s ON {% for c in key %}t.{{ c | id }} = s.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %}

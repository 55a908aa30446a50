-- Counts the rows of a table whose keys are staged. Parameters: table (quoted), partitioned (else what inherits from it is left alone), stage, key (columns).
SELECT pg_catalog.count(*) FROM {{ "" if partitioned else "ONLY " }}{{ table }} t JOIN pg_temp.{{ stage | id }} s ON {% for c in key %}t.{{ c | id }} = s.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %}

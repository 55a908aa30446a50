-- Counts the rows of one table. Parameters: table (quoted), partitioned, filter (or none).
SELECT pg_catalog.count(*) FROM {{ "" if partitioned else "ONLY " }}{{ table }}
{%- if filter is not none %} WHERE (
{{ filter }}
)
{%- endif %}

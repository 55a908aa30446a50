-- Sends how many keys one table has on each page of their hashes, and the sum of the hashes; the same of rows written since. Parameters: table (quoted), hash (of a key, as an expression), mask, partitioned, filter (or none), since (transaction id, or none).
-- OFFSET 0 keeps the hash from being reckoned again wherever it is used.
COPY (SELECT h & {{ mask }} AS page, pg_catalog.count(*) AS rows, pg_catalog.sum(h) AS keys
{%- if since is not none %}, pg_catalog.count(*) FILTER (WHERE written) AS written_rows, pg_catalog.sum(h) FILTER (WHERE written) AS written_keys{% endif %}
FROM (SELECT {{ hash }} AS h
{%- if since is not none %}, pg_catalog.age(xmin) <= (SELECT pg_catalog.age({{ since | lit }}::pg_catalog.xid)) AND pg_catalog.age(xmin) >= 0 AS written{% endif %}
FROM {{ "" if partitioned else "ONLY " }}{{ table }}
{%- if filter is not none %} WHERE (
{{ filter }}
)
{%- endif %} OFFSET 0) AS hashed GROUP BY 1) TO STDOUT (FORMAT csv, HEADER)

-- Which of the remembered numbers their rows have not reached here. Parameters: table (quoted), column, key (columns; empty: every row is meant), types (of the key).
-- $1 JSON: [{key column: text, "!entry": its place, "!reached": the number}].
SELECT r."!entry" FROM pg_catalog.jsonb_to_recordset($1::text::jsonb) AS r ({% for k in key %}{{ k | id }} {{ types[loop.index0] }}, {% endfor %}"!entry" integer, "!reached" bigint)
WHERE EXISTS (SELECT FROM {{ table }} t WHERE {% for k in key %}t.{{ k | id }} = r.{{ k | id }} AND {% endfor %}t.{{ column | id }} < r."!reached")
ORDER BY 1

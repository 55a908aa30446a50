-- One row as JSON, values as text. Parameters: table (quoted), key [{name, type, value}], columns.
SELECT json_object(ARRAY[{% for c in columns %}{{ c | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[], ARRAY[{% for c in columns %}t.{{ c | id }}::text{{ ", " if not loop.last }}{% endfor %}]::text[])::text
FROM {{ table }} t WHERE {% for k in key %}t.{{ k.name | id }} = {{ k.value | lit }}::{{ k.type }}{{ " AND " if not loop.last }}{% endfor %} LIMIT 1

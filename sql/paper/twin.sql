-- The key of a row that is the same as this one in all columns of `same_as`. Parameters: table (quoted), key, value, columns.
SELECT b.{{ key | id }}::text FROM {{ table }} a JOIN {{ table }} b ON {% for c in columns %}b.{{ c | id }} = a.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %}

WHERE a.{{ key | id }} = {{ value | lit }} AND b.{{ key | id }} <> a.{{ key | id }} ORDER BY 1 LIMIT 1

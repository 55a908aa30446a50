-- Keeps rows for a way back, whole: those whose keys are staged in put or gone, or all when there is no key. Parameters: kept (a number), table (quoted), partitioned (else what inherits from it is left alone), key (columns; empty: all rows).
CREATE TABLE his_emergency.kept_{{ kept }} AS SELECT * FROM {{ "" if partitioned else "ONLY " }}{{ table }} t
{%- if key %}
WHERE EXISTS (SELECT FROM pg_temp.put s WHERE {% for c in key %}s.{{ c | id }} = t.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %})
   OR EXISTS (SELECT FROM pg_temp.gone s WHERE {% for c in key %}s.{{ c | id }} = t.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %})
{%- endif %}

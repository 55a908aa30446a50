-- Takes away the rows that had come. Parameters: table (quoted), partitioned (else what inherits from it is left alone), kept (a number), key (columns; empty: all rows).
DELETE FROM {{ "" if partitioned else "ONLY " }}{{ table }}{% if key %} t USING his_emergency.kept_{{ kept }}_keys s WHERE {% for c in key %}t.{{ c | id }} = s.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %}{% endif %}

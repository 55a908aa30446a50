-- Takes rows away: those whose keys are staged, or all when there is no key. Parameters: table (quoted), stage, key (columns; empty: all rows).
DELETE FROM {{ table }}{% if key %} t USING pg_temp.{{ stage | id }} s WHERE {% for c in key %}t.{{ c | id }} = s.{{ c | id }}{{ " AND " if not loop.last }}{% endfor %}{% endif %}

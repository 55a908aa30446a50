-- Takes staging tables away, so that the next table can use their names. Parameter: stages.
DROP TABLE {% for stage in stages %}{{ "" if loop.first else ", " }}pg_temp.{{ stage | id }}{% endfor %}

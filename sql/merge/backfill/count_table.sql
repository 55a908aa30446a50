-- What the comparison of one table found: rows that the primary lacks, has otherwise, and has alone. Parameters: a target, filtered.
SELECT count(*) FILTER (WHERE depth = 0), count(*) FILTER (WHERE depth = 1),
  {% if filtered %}NULL::bigint{% else %}(SELECT count(*) FROM {{ table }} t WHERE NOT EXISTS (
    SELECT FROM pg_temp.snapshot_{{ no }} s WHERE {% for k in key %}t.{{ k.name | id }} = s.n{{ k.i }}{{ " AND " if not loop.last }}{% endfor %})){% endif %}

FROM pg_temp.raw_{{ no }}

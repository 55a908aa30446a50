-- Reads a batch file into its staging table. Parameters: no, columns [{i}].
COPY pg_temp.stage_{{ no }} (seq, xid, op, depth, left_out, at
{% for c in columns %}, o{{ c.i }}{% endfor %}
{% for c in columns %}, n{{ c.i }}{% endfor %}
) FROM STDIN (FORMAT csv, HEADER)

-- Reads one batch's file of one table into its staging table; in which format is said by who sends it. Parameters: no, positions [i in the order of the file].
COPY pg_temp.raw_{{ no }} (seq, xid, op, depth, left_out, at, knows
{% for i in positions %}, o{{ i }}{% endfor %}
{% for i in positions %}, n{{ i }}{% endfor %}
) FROM STDIN

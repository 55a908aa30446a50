-- Reads one table of a snapshot into its staging table. Parameters: no, columns [{i}].
COPY pg_temp.snapshot_{{ no }} ({% for c in columns %}n{{ c.i }}{{ ", " if not loop.last }}{% endfor %}) FROM STDIN (FORMAT csv, HEADER)

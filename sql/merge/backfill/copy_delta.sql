-- Reads the rows of a delta of one table. Parameters: no, columns [{i}].
COPY pg_temp.delta_{{ no }} ({% for c in columns %}n{{ c.i }}{{ ", " if not loop.last }}{% endfor %}) FROM STDIN (FORMAT csv, HEADER)

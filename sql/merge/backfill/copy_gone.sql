-- Reads the keys that a delta of one table says are gone, or pages of hashed keys. Parameter: no.
COPY pg_temp.gone_{{ no }} (key) FROM STDIN (FORMAT csv, HEADER)

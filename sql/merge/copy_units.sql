-- Reads units.csv into its staging table; in which format is said by who sends it. No parameters.
COPY pg_temp.raw_unit (unit, generation, xid, last_seq, rows, at, "user", application, address) FROM STDIN

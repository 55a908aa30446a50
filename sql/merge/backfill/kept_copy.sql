-- Reads one table of the ledger into its staging table. Parameters: no, columns.
COPY pg_temp.kept_{{ no }} ({{ columns | ids }}) FROM STDIN (FORMAT csv, HEADER)

-- Units and rows that are staged and not in the ledger. No parameters.
SELECT count(*), coalesce(sum(rows), 0)::bigint FROM pg_temp.unit WHERE b > 0 AND prior IS NULL;

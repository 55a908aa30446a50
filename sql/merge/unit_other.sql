-- Units of new batches that the ledger knows with other content. No parameters.
SELECT name FROM pg_temp.unit WHERE known_hash IS NOT NULL AND b > 0 AND hash IS DISTINCT FROM known_hash ORDER BY u;

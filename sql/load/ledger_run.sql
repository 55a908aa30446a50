-- Highest merge run in the primary's ledger. No parameters.
SELECT coalesce(pg_catalog.max(run), 0)::bigint FROM his_emergency.merge_run

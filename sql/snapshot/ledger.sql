-- How far the primary's merge ledger had come in this snapshot. No parameters.
SELECT coalesce((SELECT pg_catalog.max(epoch) FROM his_emergency.event), 0)::bigint AS epoch,
       coalesce((SELECT pg_catalog.max(run) FROM his_emergency.merge_run), 0)::bigint AS run;

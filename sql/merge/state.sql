-- The last run that this ledger knows, 0 when there is none. No parameters.
SELECT coalesce(max(run), 0) FROM his_emergency.merge_run;

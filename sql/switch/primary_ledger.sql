-- How far the primary's merge ledger has come: highest epoch, highest run; 0 when empty. No parameters.
SELECT (SELECT coalesce(max(epoch), 0) FROM his_emergency.event), (SELECT coalesce(max(run), 0) FROM his_emergency.merge_run);

-- Notes that a run has ended. $1 run.
UPDATE his_emergency.merge_run SET finished_at = clock_timestamp() WHERE run = $1;

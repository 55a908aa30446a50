-- Notes that a run begins. $1 event, $2 epoch, $3 by, $4 host.
WITH event AS (INSERT INTO his_emergency.event (event, epoch) VALUES ($1, $2) ON CONFLICT (event) DO NOTHING)
INSERT INTO his_emergency.merge_run (event, by, host) VALUES ($1, $3, $4) RETURNING run;

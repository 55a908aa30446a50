-- Notes that a run begins. $1 event, $2 by, $3 host.
INSERT INTO his_emergency.merge_run (event, by, host) VALUES ($1, $2, $3) RETURNING run;

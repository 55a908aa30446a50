-- Whether this primary was given back what a server had, and stands for it now. $1 system identifier.
SELECT EXISTS (SELECT FROM his_emergency.backfill WHERE system_identifier = $1 AND finished_at IS NOT NULL);

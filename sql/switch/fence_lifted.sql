-- Notes that the fence is lifted for all events of this site. $1 site.
UPDATE his_emergency.fence_event SET lifted_at = pg_catalog.clock_timestamp() WHERE lifted_at IS NULL AND pg_catalog.split_part(event, '-', 1) = $1;

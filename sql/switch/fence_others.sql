-- Events of other sites for which the fence was put on and not lifted. $1 site.
SELECT event FROM his_emergency.fence_event WHERE lifted_at IS NULL AND pg_catalog.split_part(event, '-', 1) <> $1 ORDER BY event;

-- Whether the fence is on for this site, or by hand for nobody's event. $1 site.
SELECT EXISTS (SELECT FROM his_emergency.fence) AND (
  EXISTS (SELECT FROM his_emergency.fence_event WHERE lifted_at IS NULL AND pg_catalog.split_part(event, '-', 1) = $1)
  OR NOT EXISTS (SELECT FROM his_emergency.fence_event WHERE lifted_at IS NULL));

-- The database's own settings for what the merge applies; a lock is not waited for longer than windows bear. Each chunk is as large as the
-- other, so that a plan for one is good for all. $1 TimeZone, $2 search_path.
SELECT pg_catalog.set_config('TimeZone', $1, true), pg_catalog.set_config('search_path', $2 || ', pg_temp', true),
       pg_catalog.set_config('lock_timeout', '3s', true), pg_catalog.set_config('synchronous_commit', 'on', true),
       pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true);

-- How many windows are connected to this database. $1 our own roles, $2 the window roles (NULL: every role but ours).
SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.usename IS NOT NULL AND coalesce(a.backend_type, 'client backend') = 'client backend'
  AND a.usename <> ALL ($1::text[]) AND ($2::text[] IS NULL OR a.usename = ANY ($2::text[]));

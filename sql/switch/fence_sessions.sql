-- Sessions of windows in this database, and whether we may end them. $1 our own roles, $2 the window roles (NULL: every role but ours).
-- Without the right to see it, backend_type is NULL; then it is taken for a client's.
SELECT a.pid, a.usename::text, coalesce(r.rolsuper, false), coalesce(a.application_name, ''), coalesce(a.client_addr::text, 'local'),
       pg_catalog.pg_has_role(a.usesysid, 'USAGE') OR NOT coalesce(r.rolsuper, false) AND pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')
FROM pg_catalog.pg_stat_activity a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid() AND a.usename IS NOT NULL
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
  AND a.usename <> ALL ($1::text[]) AND ($2::text[] IS NULL OR a.usename = ANY ($2::text[]))
ORDER BY a.pid;

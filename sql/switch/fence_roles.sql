-- Those of the window roles that can log in. $1 window roles, $2 our own roles.
SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname = ANY ($1::text[]) AND rolname <> ALL ($2::text[]) AND rolcanlogin ORDER BY rolname;

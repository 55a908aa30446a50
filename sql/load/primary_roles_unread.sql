-- Window roles as the primary has them, without what only superusers may read. $1 names.
SELECT r.rolname::text, NULL::text,
       coalesce((SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0), '{}')::text[]
FROM pg_catalog.pg_roles r WHERE r.rolname = ANY ($1::text[]) ORDER BY r.rolname;

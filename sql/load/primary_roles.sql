-- Window roles as the primary has them, with their password verifiers (superusers only). $1 names.
SELECT r.rolname::text, r.rolpassword,
       coalesce((SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0), '{}')::text[]
FROM pg_catalog.pg_authid r WHERE r.rolname = ANY ($1::text[]) ORDER BY r.rolname;

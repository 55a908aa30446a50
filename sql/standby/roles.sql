-- Roles of this server by name. $1 names. rolpassword is read from pg_authid, which only a superuser may.
SELECT rolname::text, rolcanlogin, rolpassword FROM pg_catalog.pg_authid WHERE rolname = ANY ($1::text[]) ORDER BY rolname;

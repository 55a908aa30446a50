-- Roles that own, are granted, or are configured something in this database, the window roles ($1), and the groups above them.
WITH RECURSIVE here AS (
  SELECT d.oid, d.datdba FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
), named AS (
  SELECT d.refobjid AS oid
  FROM pg_catalog.pg_shdepend d, here
  WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    AND (d.dbid = here.oid
         OR d.dbid = 0 AND d.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND d.objid = here.oid)
  -- The bootstrap superuser is pinned: what it owns is in no dependency.
  UNION SELECT here.datdba FROM here
  UNION SELECT c.relowner
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  UNION SELECT s.setrole FROM pg_catalog.pg_db_role_setting s, here WHERE s.setdatabase = here.oid AND s.setrole <> 0
  UNION SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = ANY ($1::text[])
), closed AS (
  SELECT named.oid FROM named
  UNION
  SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN closed ON closed.oid = m.member
)
SELECT r.rolname::text AS name,
       r.rolcanlogin AS login,
       ARRAY(SELECT DISTINCT g.rolname::text COLLATE "C"
             FROM pg_catalog.pg_auth_members m
             JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
             WHERE m.member = r.oid
             ORDER BY 1) AS member_of
FROM pg_catalog.pg_roles r
JOIN closed ON closed.oid = r.oid
WHERE r.rolname !~ '^pg_'
ORDER BY r.rolname;

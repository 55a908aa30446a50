-- The databases of this server that are ours or may be: the standby's name and its generations. $1 standby's name.
-- LIKE is not used, because the name may hold its wildcards.
SELECT datname::text FROM pg_catalog.pg_database
WHERE datname = $1 OR "left"(datname, pg_catalog.length($1) + 2) = $1 || '_g'
ORDER BY datname;

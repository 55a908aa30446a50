-- The databases of this server that are ours or may be: the standby's name and its generations. $1 standby's name.
-- LIKE is not used, because the name may hold its wildcards. A drop that was broken off leaves an invalid database
-- (datconnlimit -2), which cannot be connected to; the next load sweeps it.
SELECT datname::text FROM pg_catalog.pg_database
WHERE (datname = $1 OR "left"(datname, pg_catalog.length($1) + 2) = $1 || '_g') AND datconnlimit <> -2
ORDER BY datname;

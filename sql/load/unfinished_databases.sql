-- Databases that a killed load or a broken-off drop left behind. $1 standby's name.
-- A drop that was broken off marks the database as invalid (datconnlimit -2): it can only be dropped.
SELECT datname::text FROM pg_catalog.pg_database
WHERE "left"(datname, pg_catalog.length($1) + 2) = $1 || '_g'
  AND (pg_catalog.substr(datname, pg_catalog.length($1) + 3) ~ '^[0-9]+_loading$'
       OR pg_catalog.substr(datname, pg_catalog.length($1) + 3) ~ '^[0-9]+$' AND datconnlimit = -2)
ORDER BY datname;

-- Where the server's log left earlier timelines; NULL when we may not read it, or there was none. $1 file.
SELECT CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_read_file(text, bigint, bigint, boolean)', 'EXECUTE')
  THEN pg_catalog.pg_read_file($1, 0, 1000000, true) END;

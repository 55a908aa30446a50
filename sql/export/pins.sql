-- Settings under which values become text, whatever the server's or the database's own are. No parameters.
SET LOCAL client_encoding = 'UTF8';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL TimeZone = 'UTC';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
SET LOCAL xmloption = 'content';
SET LOCAL row_security = off;
SET LOCAL search_path = pg_catalog;
SET LOCAL synchronous_commit = on;

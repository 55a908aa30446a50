-- Pins, for one transaction, everything that the text of a value depends on. Parameters: timezone and search_path, as SET takes them in text.
SET LOCAL client_encoding = 'UTF8';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C';
SET LOCAL xmloption = 'content';
SET LOCAL row_security = off;
SELECT pg_catalog.set_config('TimeZone', {{ timezone | lit }}, true),
       pg_catalog.set_config('search_path', {{ search_path | lit }}, true);
-- A session whose program was killed must not go on reading, and so holding its locks, until it next sends something.
SELECT pg_catalog.set_config(name, '1s', true)
FROM pg_catalog.pg_settings WHERE name = 'client_connection_check_interval';

-- The role of [primary] read_url: downloads, and can change nothing. Run once by a superuser in the HIS's database:
--   psql -d his -f download.sql
-- The password: \password his_download
-- pg_dump locks every table of the database against a change of its structure, and the server wants SELECT for that; so it is
-- given on all of them, and what is downloaded is what the profile lists.
\set ON_ERROR_STOP on
BEGIN;
-- BYPASSRLS: a row that a policy hides would be missing on the standby, and nobody would see it.
CREATE ROLE his_download LOGIN BYPASSRLS;
GRANT pg_read_all_data TO his_download;
-- Against a slip; the grants are what holds.
ALTER ROLE his_download SET default_transaction_read_only = on;
COMMIT;

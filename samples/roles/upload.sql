-- The role of [primary] url: fences the windows and merges, without being a superuser. Run once by one in the HIS's database,
-- with the captured tables of the profile, and again when they change:
--   psql -d his -v captured=outpatient.visit,outpatient.charge -f upload.sql
-- PostgreSQL 15 or later. The password: \password his_upload
\set ON_ERROR_STOP on
BEGIN;
SELECT 'CREATE ROLE his_upload LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'his_upload') \gexec
-- The fence takes LOGIN from the window roles, and ends their sessions.
ALTER ROLE his_upload CREATEROLE;
GRANT pg_signal_backend, pg_read_all_stats TO his_upload;
-- For the schema his_emergency, which belongs to it.
SELECT format('GRANT CREATE ON DATABASE %I TO his_upload', current_database()) \gexec

CREATE TEMPORARY TABLE captured ON COMMIT DROP AS
SELECT name::regclass AS relation FROM unnest(string_to_array(:'captured', ',')) AS name;
CREATE TEMPORARY TABLE referenced ON COMMIT DROP AS
SELECT DISTINCT k.confrelid::regclass AS relation, a.attname
FROM pg_constraint k JOIN captured c ON c.relation = k.conrelid
JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey)
WHERE k.contype = 'f';

SELECT DISTINCT format('GRANT USAGE ON SCHEMA %I TO his_upload', n.nspname)
FROM (SELECT relation FROM captured UNION SELECT relation FROM referenced) r
JOIN pg_class c ON c.oid = r.relation JOIN pg_namespace n ON n.oid = c.relnamespace \gexec
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO his_upload', relation) FROM captured \gexec
-- The merge locks what captured rows refer to, so that it stays; the server wants UPDATE of a column for that.
SELECT format('GRANT SELECT, UPDATE (%s) ON %s TO his_upload', string_agg(quote_ident(attname), ', '), relation)
FROM referenced GROUP BY relation \gexec
-- A row that a policy hides would be taken for one that is gone.
SELECT 'ALTER ROLE his_upload BYPASSRLS'
WHERE EXISTS (SELECT FROM pg_class c WHERE c.relrowsecurity AND c.oid IN (SELECT relation FROM captured UNION SELECT relation FROM referenced)) \gexec
-- The HIS's own triggers have done their work on the standby already (triggers = "replay").
GRANT SET ON PARAMETER session_replication_role TO his_upload;
COMMIT;

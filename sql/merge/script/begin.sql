-- Whatever psql and this session are set to, the script means the same: one transaction, stopped by the first error. No parameters.
\set ON_ERROR_STOP on
\set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on
\set QUIET on
\encoding UTF8
\timing off
\pset format unaligned
\pset tuples_only on
\pset pager off
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL client_min_messages = warning;
-- As his-merge names itself, so that his-switch can end this session like that one (P16).
SET LOCAL application_name = 'his-merge';
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = 0;
SET LOCAL search_path = pg_catalog;

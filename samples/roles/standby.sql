-- The role of [standby] url. Run once on the standby's server, which belongs to the toolkit:
--   psql -d postgres -f standby.sql
-- The password: \password his_loader
-- A superuser: it makes databases, roles, extensions and event triggers. It is for this server alone; no role of the primary's
-- server has more than it needs. The windows' own roles are made by his-load-standby init, which says
-- whose password it could not carry over: \password his_app
\set ON_ERROR_STOP on
CREATE ROLE his_loader LOGIN SUPERUSER;

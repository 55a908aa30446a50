-- What is true of the primary's database as a whole. $1: window roles of the profile.
SELECT pg_catalog.current_setting('server_version_num')::int AS server_version,
       (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system_identifier,
       pg_catalog.clock_timestamp() AS now,
       pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata) AS large_objects,
       ARRAY(SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'm' ORDER BY 1) AS materialized_views,
       ARRAY(SELECT e.extname::text FROM pg_catalog.pg_extension e ORDER BY 1) AS extensions,
       ARRAY(SELECT w FROM pg_catalog.unnest($1::text[]) AS w
             WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = w)) AS missing_roles
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database();

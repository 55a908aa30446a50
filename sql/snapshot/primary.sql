-- Which database this is, and how far its transactions had come in this snapshot. No parameters.
SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system_identifier,
       d.datname::text AS database,
       pg_catalog.current_setting('server_version_num')::int AS server_version,
       pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       d.datcollate::text AS collate,
       d.datctype::text AS ctype,
       coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c') AS locale_provider,
       coalesce(pg_catalog.to_jsonb(d) ->> 'daticulocale', pg_catalog.to_jsonb(d) ->> 'datlocale') AS icu_locale,
       pg_catalog.pg_current_snapshot()::text AS sees,
       pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS next_xid
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database();

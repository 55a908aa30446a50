-- Whether this primary knows of any backfill. No parameters.
SELECT pg_catalog.to_regclass('his_emergency.backfill') IS NOT NULL;

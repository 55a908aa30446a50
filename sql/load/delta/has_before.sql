-- Whether this generation has a way back to the state before. No parameters.
SELECT pg_catalog.to_regclass('his_emergency.before') IS NOT NULL

-- Whether this generation knows of numbers kept in columns; one of an older version does not. No parameters.
SELECT pg_catalog.to_regclass('his_emergency.number_column') IS NOT NULL

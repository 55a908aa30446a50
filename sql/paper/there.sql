-- Whether the tables of paper slips are there. No parameters.
SELECT pg_catalog.to_regclass('his_emergency.slip_value') IS NOT NULL

-- Whether the ledger is there, its last table made last. No parameters.
SELECT pg_catalog.to_regclass('his_emergency.sign_off') IS NOT NULL;

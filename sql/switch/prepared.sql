-- Prepared transactions in these databases; nothing can be renamed or closed under one. $1 databases.
SELECT gid, database::text FROM pg_catalog.pg_prepared_xacts WHERE database = ANY ($1::text[]) ORDER BY prepared;

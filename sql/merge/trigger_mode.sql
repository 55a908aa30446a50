-- Whether the primary's triggers fire for what comes next. $1 replica | origin, $2 only in this transaction.
SELECT pg_catalog.set_config('session_replication_role', $1, $2);

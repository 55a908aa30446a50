-- Sets where functions of the HIS find what they name without a schema. $1 search path, $2 only for this transaction.
SELECT pg_catalog.set_config('search_path', $1, $2);

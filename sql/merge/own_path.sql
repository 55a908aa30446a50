-- The database's own search_path, because operators of its types are found by it. $1 search_path.
SELECT pg_catalog.set_config('search_path', $1 || ', pg_temp', true);

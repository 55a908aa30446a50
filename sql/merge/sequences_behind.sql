-- Where sequences stand that we may read; NULL when one was never used. $1 names, quoted.
SELECT q.name, pg_catalog.pg_sequence_last_value(c.oid)
FROM pg_catalog.unnest($1::text[]) AS q(name)
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(q.name)::oid AND c.relkind = 'S'
JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid AND NOT s.seqcycle
-- The server may ask for the right before it has looked what kind of relation this is.
WHERE CASE c.relkind WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT, USAGE') END;

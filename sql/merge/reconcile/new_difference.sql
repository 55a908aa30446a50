-- Gives every difference that is found a number that it keeps. $1 event, $2 tables, $3 keys, $4 columns.
INSERT INTO his_emergency.difference (event, table_name, key, column_name)
SELECT $1, f.t, f.k, f.c FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY f (t, k, c, n)
WHERE NOT EXISTS (SELECT FROM his_emergency.difference d WHERE (d.event, d.table_name, d.key, d.column_name) = ($1, f.t, f.k, f.c)) ORDER BY f.n;

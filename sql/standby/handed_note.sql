-- Counts numbers as handed out. $1 no of the column, $2 keys as JSON, $3 the number that each reached.
INSERT INTO his_emergency.handed (no, key, reached)
SELECT $1, u.key, u.reached FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::bigint[])) AS u (key, reached)

-- Keeps what the SQL of a slip returned. $1 slip number, $2 names, $3 values.
INSERT INTO his_emergency.slip_value (slip_no, name, value)
SELECT $1, v.name, v.value FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) AS v (name, value)

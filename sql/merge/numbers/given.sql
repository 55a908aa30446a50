-- Official numbers given to an event, by table, column and what stands before the digits: how many, the first and the last, whether digits are padded
-- to a width. $1 event.
SELECT table_name, column_name, prefix, count(*), min(n)::text, max(n)::text,
  CASE WHEN bool_or(digits LIKE '0_%') THEN max(pg_catalog.length(digits)) ELSE 0 END
FROM (
  SELECT g.table_name, g.column_name, pg_catalog.regexp_replace(g.official, '[0-9]+$', '') AS prefix, d.digits, d.digits::numeric AS n
  FROM his_emergency.number_given g CROSS JOIN LATERAL (SELECT pg_catalog.substring(g.official, '[0-9]+$') AS digits) d
  WHERE g.event = $1 AND d.digits IS NOT NULL) q
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

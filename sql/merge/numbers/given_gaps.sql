-- Numbers between the first and the last given to an event that neither a merge gave nor the primary's own windows have used.
-- Parameters: table (quoted), column. $1 table as the ledger names it, $2 column, $3 prefix, $4 first, $5 last, as text.
WITH used AS (
  SELECT official AS number FROM his_emergency.number_given WHERE table_name = $1 AND column_name = $2
  UNION
  SELECT t.{{ column | id }}::text FROM {{ table }} t WHERE t.{{ column | id }} IS NOT NULL),
numbered AS (
  SELECT DISTINCT pg_catalog.substr(number, pg_catalog.length($3) + 1)::numeric AS n FROM used
  WHERE pg_catalog.starts_with(number, $3) AND pg_catalog.substr(number, pg_catalog.length($3) + 1) ~ '^[0-9]+$'),
steps AS (
  SELECT n, pg_catalog.lead(n) OVER (ORDER BY n) AS next FROM numbered WHERE n BETWEEN $4::text::numeric AND $5::text::numeric)
SELECT (n + 1)::text, (next - 1)::text FROM steps WHERE next > n + 1 ORDER BY n;

-- Money of the staged units that are not in the ledger. No parameters.
SELECT m.table_name, m.column_name, sum(m.amount)::text FROM pg_temp.amount m JOIN pg_temp.unit x USING (u) WHERE x.b > 0 AND x.prior IS NULL GROUP BY 1, 2 ORDER BY 1, 2;

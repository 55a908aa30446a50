-- What was counted of the captured money, by table, column, group, kind and outcome. No parameters.
SELECT table_name, column_name, "group", kind, status, sum(amount)::text FROM pg_temp.flow GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5;

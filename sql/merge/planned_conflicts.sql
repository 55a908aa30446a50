-- Conflicts that the plan found and nobody has decided. No parameters.
SELECT x.name, c.table_no, c.kind, c.reason FROM pg_temp.conflict c JOIN pg_temp.unit x USING (u) WHERE c.take IS NULL ORDER BY x.u, c.seq, c.kind;

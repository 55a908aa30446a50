-- Makes what the staged changes touched quick to find. No parameters.
-- Found by now, and each change of a unit would have to keep it.
DROP INDEX pg_temp.unit_b_xid_idx;
-- Rows that every unit counts on have thousands of touches, and were made by one.
CREATE INDEX ON pg_temp.touch (rule, value, takes);
CREATE INDEX ON pg_temp.amount (u);
ANALYZE pg_temp.touch; ANALYZE pg_temp.amount;

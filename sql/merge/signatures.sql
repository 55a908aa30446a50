-- Which sets of columns the staged updates of one table change. Parameter: no.
SELECT DISTINCT changed, weak FROM pg_temp.stage_{{ no }} WHERE op = 'U' AND NOT left_out ORDER BY 1

-- Tells the planner how much is staged. Parameter: stage.
ANALYZE pg_temp.{{ stage | id }}

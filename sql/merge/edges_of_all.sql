-- All dependence among the staged units. No parameters.
SELECT DISTINCT u, on_u FROM pg_temp.edge WHERE u <> on_u;

-- Gathers statistics of the whole database. No parameters.
ANALYZE

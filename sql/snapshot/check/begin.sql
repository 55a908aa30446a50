-- Begins the reading transaction of a check; no query of it may burden the primary for long. No parameters.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '20s';

-- Ends the transaction of begin.sql. No parameters.
COMMIT

-- Begins a transaction that sees exactly what the leading one sees. Parameters: snapshot, lock_timeout_ms.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET TRANSACTION SNAPSHOT {{ snapshot | lit }};
SET LOCAL lock_timeout = {{ lock_timeout_ms }};

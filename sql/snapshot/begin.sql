-- Begins the leading transaction of a snapshot; its database snapshot exists only after the first query, so after the locks. Parameter: lock_timeout_ms.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL lock_timeout = {{ lock_timeout_ms }};

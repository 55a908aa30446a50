-- Sets how long the session waits for a lock; gives how long it waited until now. $1 a time as SET takes it.
SELECT o.before, pg_catalog.set_config('lock_timeout', $1, false)
FROM (SELECT pg_catalog.current_setting('lock_timeout') AS before OFFSET 0) o

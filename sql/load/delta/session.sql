-- Sets up the transaction that applies a delta. No parameters.
-- Replica role: the HIS's own triggers have done their work on the primary, and its foreign keys hold there.
SET LOCAL session_replication_role = replica;
SET LOCAL synchronous_commit = on;
-- Its own writing has made an index's word worth little: to count the rows by one, each would be looked up in the table.
SET LOCAL enable_indexonlyscan = off;

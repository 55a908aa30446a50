-- Rows of the standby that were found to be rows of the primary, in the order of the decisions. No parameters.
SELECT event || '/' || generation || '-' || xid, seq, table_name, columns, ours, theirs, counters, units FROM his_emergency.link ORDER BY at, conflict;

-- Records that a row of the standby is a row of the primary. $1 unit, $2 seq, $3 table, $4 columns, $5 ours, $6 theirs, $7 counters, $8 units it is for, $9 conflict.
INSERT INTO his_emergency.link (event, generation, xid, seq, table_name, columns, ours, theirs, counters, units, conflict)
SELECT event, generation, xid, $2, $3, $4, $5, $6, $7, $8, $9 FROM his_emergency.unit WHERE event || '/' || generation || '-' || xid = $1;

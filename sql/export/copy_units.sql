-- One line a chosen unit, ordered by the unit's last queue number. Parameters: event, generation.
COPY (
  SELECT {{ event | lit }} || '/' || {{ generation }}::text || '-' || c.xid AS unit, {{ generation }}::bigint AS generation, c.xid, c.last_seq, c.rows,
         u.at, u.db_user AS "user", u.application, u.address
  FROM pg_temp.chosen c LEFT JOIN his_emergency.unit u ON u.xid = c.xid ORDER BY c.last_seq
) TO STDOUT (FORMAT csv, HEADER)

-- Units and rows of an event by outcome. $1 event.
SELECT status, count(*), coalesce(sum(rows), 0)::bigint FROM his_emergency.unit WHERE event = $1 GROUP BY status;

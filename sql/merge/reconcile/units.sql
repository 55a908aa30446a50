-- Units of the event in the batches, by what became of them. $1 event.
SELECT coalesce(prior, ''), count(*) FROM pg_temp.unit WHERE event = $1 GROUP BY 1;

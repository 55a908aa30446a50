-- Leaves of a keyed slip its number, its hash, and what it comes to in columns of money: of an event, and of none when it was
-- keyed before a time. $1 event, $2 names of those columns, $3 the time.
WITH slip AS (
  UPDATE his_emergency.slip s
  SET content = (SELECT coalesce(pg_catalog.json_object_agg(e.key, e.value), '{}')::text FROM pg_catalog.json_each(s.content::json) e WHERE e.key = ANY ($2::text[]))
  WHERE (s.event = $1 OR s.event IS NULL AND s.keyed_at < $3)
    AND EXISTS (SELECT FROM pg_catalog.json_object_keys(s.content::json) k WHERE k <> ALL ($2::text[])) RETURNING 1
)
SELECT pg_catalog.count(*) FROM slip;

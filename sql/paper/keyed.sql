-- Paper slips of an event that this database has, by kind, with what they come to in one column each. $1 event, $2 kinds, $3 columns of money
-- (one kind and column a place; an empty column only counts).
SELECT w.kind, w.field, pg_catalog.count(s.slip_no), coalesce(pg_catalog.sum((s.content::json ->> w.field)::numeric), 0)::text
FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) WITH ORDINALITY AS w (kind, field, place)
LEFT JOIN his_emergency.slip s ON s.kind = w.kind AND s.event = $1
GROUP BY w.place, w.kind, w.field ORDER BY w.place

-- Takes what patients' rows said out of the ledger for an event; which rows, how many, what was decided and all sums stay.
-- $1 event. Gives how many images, changes and values were there.
WITH conflict AS (
  UPDATE his_emergency.conflict SET standby = CASE WHEN standby IS NOT NULL THEN '{}' END, "primary" = CASE WHEN "primary" IS NOT NULL THEN '{}' END
  WHERE event = $1 AND (standby <> '{}' OR "primary" <> '{}') RETURNING 1
), displaced AS (
  UPDATE his_emergency.displaced SET "primary" = '{}' WHERE event = $1 AND "primary" <> '{}' RETURNING 1
), change AS (
  DELETE FROM his_emergency.change WHERE event = $1 RETURNING 1
), accepted AS (
  UPDATE his_emergency.accepted a SET expected = NULL, found = NULL FROM his_emergency.difference d
  WHERE d.id = a.difference AND d.event = $1 AND (a.expected IS NOT NULL OR a.found IS NOT NULL) RETURNING 1
)
SELECT (SELECT pg_catalog.count(*) FROM conflict) + (SELECT pg_catalog.count(*) FROM displaced), (SELECT pg_catalog.count(*) FROM change),
       (SELECT pg_catalog.count(*) FROM accepted);

-- Notes what the primary has now. $1 id, $2 JSON of the row, or NULL.
UPDATE his_emergency.conflict SET "primary" = $2 WHERE id = $1;

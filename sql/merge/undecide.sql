-- Takes a decision back that could not be carried out, and notes why. $1 id, $2 reason.
WITH gone AS (DELETE FROM his_emergency.link WHERE conflict = $1)
UPDATE his_emergency.conflict SET take = NULL, link_to = NULL, decided_by = NULL, decided_at = NULL, why = NULL, reason = $2 WHERE id = $1;

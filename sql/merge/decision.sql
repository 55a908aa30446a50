-- Records a person's decision. $1 id, $2 take, $3 key of the linked row, $4 by, $5 why.
UPDATE his_emergency.conflict SET take = $2, link_to = $3, decided_by = $4, decided_at = clock_timestamp(), why = $5 WHERE id = $1;

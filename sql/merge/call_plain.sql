-- Applies a range of staged units in one piece. $1 first, $2 last position.
SELECT pg_temp.apply_plain($1, $2);

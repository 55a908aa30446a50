-- Applies a range of staged units one by one, holding what does not fit. $1 first, $2 last position.
SELECT pg_temp.apply_careful($1, $2);

-- Applies a range of staged units, set-wise where that can be done. $1 first, $2 last.
SELECT pg_temp.apply_plain($1, $2);

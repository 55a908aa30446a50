-- Applies a chunk of staged units, set-wise where that can be done. $1 chunk.
SELECT pg_temp.apply_plain($1);

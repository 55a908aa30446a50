-- Applies a chunk of staged units one by one, holding what does not fit. $1 chunk.
SELECT pg_temp.apply_careful($1);

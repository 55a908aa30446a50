-- Notes what the primary has beside what a chunk has merged. $1 chunk.
SELECT pg_temp.note_values($1);

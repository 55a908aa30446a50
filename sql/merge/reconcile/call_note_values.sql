-- Notes what the primary has beside what a range has merged. $1 first, $2 last.
SELECT pg_temp.note_values($1, $2);

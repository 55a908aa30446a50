-- Merges a chunk of staged units: all of it, with its outcomes in the ledger. $1 chunk, $2 run, $3 by.
SELECT pg_temp.merge_chunk($1, $2, $3);

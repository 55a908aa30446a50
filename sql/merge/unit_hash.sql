-- The content of each unit as one number, and whether the ledger knows the unit with another. No parameters; gives the units that differ.
UPDATE pg_temp.unit u SET hash = h.hash FROM (SELECT u, sum(part)::text AS hash FROM pg_temp.hash GROUP BY u) h WHERE h.u = u.u;

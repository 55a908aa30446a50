-- When the passwords of these roles expire; those that never do are left out. $1 names of roles.
SELECT r.rolname::text, r.rolvaliduntil FROM pg_catalog.pg_roles r
WHERE r.rolname = ANY ($1::text[]) AND r.rolvaliduntil IS NOT NULL AND r.rolvaliduntil < 'infinity' ORDER BY 1;

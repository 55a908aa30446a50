-- Who may connect to this database, and who said so; the owner's grants first, because others stand on them. $1 our own roles.
SELECT g.rolname::text AS grantor, r.rolname::text AS grantee, a.is_grantable, g.oid = d.datdba AS by_owner,
       coalesce(r.rolsuper, false) OR coalesce(r.rolname = ANY ($1::text[]), false) AS stays
FROM pg_catalog.pg_database d
CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
JOIN pg_catalog.pg_roles g ON g.oid = a.grantor
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
WHERE d.datname = pg_catalog.current_database() AND a.privilege_type = 'CONNECT'
ORDER BY by_owner DESC, grantor, grantee NULLS FIRST;

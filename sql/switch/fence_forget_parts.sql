-- Forgets what was put back, where other sites' windows stay fenced. $1 their roles.
DELETE FROM his_emergency.fence_part WHERE NOT (act = 'nologin' AND role = ANY ($1::text[]));

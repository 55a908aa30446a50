#!/bin/sh
# 手工解除主库隔离 · Lifts the fence from the primary by hand. The one line is: his-switch unfence
#
#   sudo -u his samples/runbooks/lift-fence.sh
#   LIFT_URL=postgresql://dba@his-db/his samples/runbooks/lift-fence.sh    (without the toolkit: psql, as a superuser)
#
# Only when no window works on the standby: two open databases is what the fence is there to prevent.
set -u

if [ -z "${LIFT_URL:-}" ]; then
    his-switch unfence
    exit $?
fi
psql -X -q -v ON_ERROR_STOP=1 -d "$LIFT_URL" <<'SQL'
BEGIN;
SELECT format('ALTER ROLE %I LOGIN', role) FROM his_emergency.fence_part WHERE act = 'nologin' \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO %s', current_database(), CASE WHEN role IS NULL THEN 'PUBLIC' ELSE quote_ident(role) END)
FROM his_emergency.fence_part WHERE act = 'revoked' \gexec
DELETE FROM his_emergency.fence_part;
DELETE FROM his_emergency.fence;
COMMIT;
SQL

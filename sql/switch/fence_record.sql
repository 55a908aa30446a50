-- Makes the record of the fence on the primary. No parameters; may be run again.
CREATE SCHEMA IF NOT EXISTS his_emergency;
-- One row while the fence is on.
CREATE TABLE IF NOT EXISTS his_emergency.fence (
  only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  event     text,                      -- NULL: put on by hand outside an event
  kind      text NOT NULL CHECK (kind IN ('roles', 'database')),
  by        text NOT NULL,
  host      text NOT NULL,
  put_on_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
-- Every event that ever put it on: several sites may each have put it on, and that one of them has lifted it must not look
-- to the others as if this server had forgotten.
CREATE TABLE IF NOT EXISTS his_emergency.fence_event (
  event     text PRIMARY KEY,
  put_on_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  lifted_at timestamptz
);
-- What the fence changed, so that lifting it puts back exactly that.
CREATE TABLE IF NOT EXISTS his_emergency.fence_part (
  part      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  act       text NOT NULL CHECK (act IN ('nologin', 'revoked', 'granted')),
  role      text,                      -- NULL: PUBLIC
  grantor   text,                      -- of a CONNECT that was revoked or granted
  grantable boolean NOT NULL DEFAULT false
);
-- One that an earlier version put on.
INSERT INTO his_emergency.fence_event (event, put_on_at) SELECT event, put_on_at FROM his_emergency.fence WHERE event IS NOT NULL ON CONFLICT DO NOTHING;

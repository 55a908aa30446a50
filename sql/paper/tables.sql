-- Paper slips that were written into this database, and what their SQL returned: a slip counts once (P11). No parameters; may be run again.
CREATE SCHEMA IF NOT EXISTS his_emergency;
CREATE TABLE IF NOT EXISTS his_emergency.slip (
  slip_no text PRIMARY KEY,
  kind text NOT NULL,
  -- Of everything that was keyed; content is the same as text, a JSON object, so that two keyings can be shown side by side.
  hash text NOT NULL,
  content text NOT NULL,
  written_at timestamp NOT NULL,
  keyed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  keyed_by text NOT NULL,
  event text,
  xid bigint NOT NULL DEFAULT (pg_catalog.pg_current_xact_id()::text)::bigint
);
CREATE TABLE IF NOT EXISTS his_emergency.slip_value (
  slip_no text NOT NULL REFERENCES his_emergency.slip,
  name text NOT NULL,
  value text,
  PRIMARY KEY (slip_no, name)
);

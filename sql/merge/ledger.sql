-- The ledger on the primary: what was merged is what stands here, never a mark in the store. No parameters; may be run again.
CREATE SCHEMA IF NOT EXISTS his_emergency;
COMMENT ON SCHEMA his_emergency IS 'Outpatient emergency toolkit: ledger of merged, held and rejected units';

CREATE TABLE IF NOT EXISTS his_emergency.merge_run (
  run         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event       text NOT NULL,
  by          text NOT NULL,
  host        text NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz
);
CREATE TABLE IF NOT EXISTS his_emergency.event (
  event  text PRIMARY KEY,
  epoch  bigint NOT NULL,
  seen   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS his_emergency.batch (
  event    text NOT NULL REFERENCES his_emergency.event,
  batch    bigint NOT NULL,
  sha256   text NOT NULL,
  totals   text NOT NULL,   -- JSON, as in the manifest
  closing  text,            -- JSON, as in the manifest
  run      bigint NOT NULL REFERENCES his_emergency.merge_run,
  PRIMARY KEY (event, batch)
);
CREATE TABLE IF NOT EXISTS his_emergency.unit (
  event      text NOT NULL,
  generation bigint NOT NULL,
  xid        bigint NOT NULL,
  batch      bigint NOT NULL,
  status     text NOT NULL CHECK (status IN ('merged', 'held', 'rejected')),
  rows       bigint NOT NULL,
  at         timestamptz,
  db_user    text,
  application text,
  address    text,
  run        bigint NOT NULL REFERENCES his_emergency.merge_run,
  PRIMARY KEY (event, generation, xid)
);
-- Sum of new minus old of one money column in one unit; amounts of 0 are left out.
CREATE TABLE IF NOT EXISTS his_emergency.unit_money (
  event      text NOT NULL,
  generation bigint NOT NULL,
  xid        bigint NOT NULL,
  table_name text NOT NULL,
  column_name text NOT NULL,
  amount     numeric NOT NULL,
  PRIMARY KEY (event, generation, xid, table_name, column_name)
);
-- Why a unit is held, with what both sides had at that moment.
CREATE TABLE IF NOT EXISTS his_emergency.conflict (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event      text NOT NULL,
  generation bigint NOT NULL,
  xid        bigint NOT NULL,
  table_name text,
  key        text,          -- JSON
  kind       text NOT NULL,
  reason     text NOT NULL,
  standby    text,          -- JSON {"old","new"}
  "primary"  text,          -- JSON, NULL when there is no such row
  found_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Keys and unique values that held units wrote: what comes later and meets one of them depends on it.
CREATE TABLE IF NOT EXISTS his_emergency.held_touch (
  event      text NOT NULL,
  generation bigint NOT NULL,
  xid        bigint NOT NULL,
  table_name text NOT NULL,
  rule       text NOT NULL,
  value      text NOT NULL,
  creates    boolean NOT NULL
);
CREATE INDEX IF NOT EXISTS held_touch_value ON his_emergency.held_touch (table_name, rule, md5(value));
-- Rows that were on the primary already, whole and equal.
CREATE TABLE IF NOT EXISTS his_emergency.already (
  event      text NOT NULL,
  generation bigint NOT NULL,
  xid        bigint NOT NULL,
  table_name text NOT NULL,
  key        text NOT NULL
);
-- Official numbers given at merge; the emergency number is kept beside each.
CREATE TABLE IF NOT EXISTS his_emergency.number_given (
  event      text NOT NULL,
  generation bigint NOT NULL,
  xid        bigint NOT NULL,
  table_name text NOT NULL,
  key        text NOT NULL,
  column_name text NOT NULL,
  emergency  text,
  official   text
);

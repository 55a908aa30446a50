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
  last_seq   bigint,
  hash       text,          -- of its content: the same unit with other content is damage
  at         timestamptz,
  db_user    text,
  application text,
  address    text,
  run        bigint NOT NULL REFERENCES his_emergency.merge_run,
  by         text,
  why        text,          -- of a rejected unit
  money      text CHECK (money IN ('refunded', 'kept', 'none')),
  linked     boolean NOT NULL DEFAULT false,
  settled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (event, generation, xid)
);
CREATE INDEX IF NOT EXISTS unit_open ON his_emergency.unit (event) WHERE status <> 'merged';
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
-- Why a unit is held, with what both sides had at that moment, and what a person (or the table's policy) decided.
CREATE TABLE IF NOT EXISTS his_emergency.conflict (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event      text NOT NULL,
  generation bigint NOT NULL,
  xid        bigint NOT NULL,
  seq        bigint,        -- of the change; NULL when it is about the whole unit
  table_name text,
  key        text,          -- JSON
  kind       text NOT NULL,
  rule       text NOT NULL,
  reason     text NOT NULL,
  differ     text[] NOT NULL,
  standby    text,          -- JSON {"op","old","new"}
  "primary"  text,          -- JSON, NULL when there is no such row
  found_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  take       text CHECK (take IN ('standby', 'primary', 'link')),
  link_to    text,          -- JSON
  by_policy  boolean NOT NULL DEFAULT false,
  decided_by text,
  decided_at timestamptz,
  why        text
);
CREATE INDEX IF NOT EXISTS conflict_unit ON his_emergency.conflict (event, generation, xid);
-- The changes of units that were held, as text under pinned settings: a decision needs no batch.
CREATE TABLE IF NOT EXISTS his_emergency.change (
  event      text NOT NULL,
  generation bigint NOT NULL,
  xid        bigint NOT NULL,
  seq        bigint NOT NULL,
  table_name text NOT NULL,
  op         "char" NOT NULL,
  left_out   boolean NOT NULL,
  knows      text,
  columns    text[] NOT NULL,
  old        text[] NOT NULL,
  new        text[] NOT NULL,
  PRIMARY KEY (event, generation, xid, seq, table_name)
);
-- Which held unit waits for which.
CREATE TABLE IF NOT EXISTS his_emergency.waits (
  unit    text NOT NULL,
  on_unit text NOT NULL,
  kind    text NOT NULL,
  PRIMARY KEY (unit, on_unit)
);
-- Rows that a decision for the standby wrote over.
CREATE TABLE IF NOT EXISTS his_emergency.displaced (
  event      text NOT NULL,
  generation bigint NOT NULL,
  xid        bigint NOT NULL,
  seq        bigint NOT NULL,
  table_name text NOT NULL,
  key        text NOT NULL,
  "primary"  text,
  by_policy  boolean NOT NULL
);
-- Rows of the standby that a person has found to be a row of the primary: references go there.
CREATE TABLE IF NOT EXISTS his_emergency.link (
  event      text NOT NULL,
  generation bigint NOT NULL,
  xid        bigint NOT NULL,
  seq        bigint NOT NULL,
  table_name text NOT NULL,
  columns    text[] NOT NULL,
  ours       text[] NOT NULL,
  theirs     text[] NOT NULL,
  counters   boolean NOT NULL,
  units      text[],        -- only of these; NULL: of all
  conflict   bigint NOT NULL REFERENCES his_emergency.conflict,
  at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Rows that a merge brought, of tables where a row of the gap is looked for: these are none.
CREATE TABLE IF NOT EXISTS his_emergency.brought (
  table_name text NOT NULL,
  key        text NOT NULL,
  site       text,          -- whose standby knows it: to every other one it is a row of the gap; NULL: of an earlier version, which knew one site
  PRIMARY KEY (table_name, key)
);
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
-- What the primary had in money and group columns of a row when a change that left them alone was merged into it, where the
-- standby's image says something else: the primary changed them in the gap.
CREATE TABLE IF NOT EXISTS his_emergency.primary_value (
  event       text NOT NULL,
  table_name  text NOT NULL,
  key         text NOT NULL,
  column_name text NOT NULL,
  value       text NOT NULL,
  PRIMARY KEY (event, table_name, key, column_name)
);
-- Rows that were merged and that the primary was found to hold otherwise later; a difference keeps its number.
CREATE TABLE IF NOT EXISTS his_emergency.difference (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event       text NOT NULL,
  table_name  text NOT NULL,
  key         text NOT NULL,
  column_name text NOT NULL,
  first_found timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (event, table_name, key, column_name)
);
-- Differences that a person has found to be lawful, with the value that was found; the last one counts, and only for that value.
CREATE TABLE IF NOT EXISTS his_emergency.accepted (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  difference bigint NOT NULL REFERENCES his_emergency.difference,
  expected   text,
  found      text,
  by         text NOT NULL,
  host       text NOT NULL,
  at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  why        text NOT NULL
);
-- Who said that an event is settled, with the totals that were signed.
CREATE TABLE IF NOT EXISTS his_emergency.sign_off (
  event  text NOT NULL,
  role   text NOT NULL CHECK (role IN ('finance', 'it')),
  by     text NOT NULL,
  host   text NOT NULL,
  at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  totals text NOT NULL,     -- JSON
  PRIMARY KEY (event, role)
);

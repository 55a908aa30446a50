-- Makes the control objects of a standby database (a generation, or the empty closed one of init). No parameters.
-- Everything is created closed: the gate's sequence stands at 0.
CREATE SCHEMA his_emergency;
COMMENT ON SCHEMA his_emergency IS 'Outpatient emergency toolkit: gate, capture and queue of this standby database';
REVOKE ALL ON SCHEMA his_emergency FROM PUBLIC;

CREATE TABLE his_emergency.generation (
  only_one        boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  format          integer NOT NULL DEFAULT 1,
  generation      bigint NOT NULL,
  site            text NOT NULL,
  snapshot        text,                       -- NULL: the empty database of init
  snapshot_sha256 text,                       -- of the snapshot's SHA256SUMS; the first batch is chained to it
  taken_at        timestamptz,                -- where the data ends
  ledger_run      bigint NOT NULL DEFAULT 0,  -- how far the primary's merge ledger had come in it
  primary_system  text,                       -- system identifier of the primary it came from
  rows            bigint NOT NULL DEFAULT 0,
  loaded_at       timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  verified        boolean NOT NULL DEFAULT false,
  retired         boolean NOT NULL DEFAULT false,  -- rolled back: never opened fresh again
  opened_event    text,                       -- the event that opened it first
  rolled_back     text                        -- the delta that a rollback took away again
);

-- 0: closed. Otherwise the start time of the server that was told to open, in microseconds since 1970: a server that
-- died open comes back with another start time and so stays shut. A sequence, because its value is read outside any
-- transaction's snapshot.
CREATE SEQUENCE his_emergency.gate AS bigint MINVALUE 0 START 0;
CREATE SEQUENCE his_emergency.epoch AS bigint MINVALUE 0 START 0;
CREATE SEQUENCE his_emergency.change_seq AS bigint;

-- One row a captured transaction.
CREATE TABLE his_emergency.unit (
  xid         bigint PRIMARY KEY,
  epoch       bigint NOT NULL,
  at          timestamptz NOT NULL,
  db_user     text NOT NULL,
  application text NOT NULL,
  address     inet,
  pid         integer NOT NULL
);

-- The captured tables; rows of table_no N are in his_emergency.change_N.
CREATE TABLE his_emergency.captured (
  table_no    integer PRIMARY KEY,
  schema_name text NOT NULL,
  table_name  text NOT NULL,
  columns     text[] NOT NULL,
  types       text[] NOT NULL,
  key         text[] NOT NULL,
  money       text[] NOT NULL,
  UNIQUE (schema_name, table_name)
);

-- Batches made of this database's queue, with their manifest word for word, so that a lost one is made again byte for byte.
CREATE TABLE his_emergency.batch (
  event       text NOT NULL,
  batch       bigint NOT NULL,
  manifest    text NOT NULL,
  sha256      text NOT NULL,
  PRIMARY KEY (event, batch)
);
CREATE TABLE his_emergency.exported (
  xid         bigint PRIMARY KEY,
  event       text NOT NULL,
  batch       bigint NOT NULL
);

-- The columns of tables that numbers are handed out of, and what each row of them reached here while the gate was open: one
-- line a change, never updated, so that no window waits for another. The key is JSON, its values as text.
CREATE TABLE his_emergency.number_column (
  no          integer PRIMARY KEY,
  schema_name text NOT NULL,
  table_name  text NOT NULL,
  column_name text NOT NULL,
  key         text[] NOT NULL,  -- empty: its rows cannot be told apart, and count as one
  key_types   text[] NOT NULL
);
CREATE TABLE his_emergency.handed (
  no      integer NOT NULL,
  key     text NOT NULL,
  reached numeric NOT NULL
);

CREATE FUNCTION his_emergency.server_started() RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS 'SELECT (EXTRACT(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint';

-- The gate: BEFORE statement on every table. The shared lock is taken in a statement of its own and only then is the
-- state read; read together, a transaction that began before the close would slip through.
CREATE FUNCTION his_emergency.gate() RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $gate$
DECLARE
  stands bigint;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1212765509, 1);
  SELECT last_value INTO stands FROM his_emergency.gate;
  IF stands = 0 THEN
    RAISE EXCEPTION 'the emergency standby is closed; % on %.% refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
      USING ERRCODE = 'HS001', HINT = 'Close and reopen the window''s program, so that it finds the primary.';
  ELSIF stands <> his_emergency.server_started() THEN
    RAISE EXCEPTION 'the emergency standby was restarted while open; % on %.% refused until it is confirmed', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
      USING ERRCODE = 'HS001', HINT = 'IT runs: his-switch standby';
  ELSIF TG_ARGV[0] = 'refuse' THEN
    RAISE EXCEPTION '%.% is not captured in the profile; % refused, because it would not come back to the primary', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
      USING ERRCODE = 'HS001', HINT = 'In his.toml set capture = true (or scratch = true) for this table before the next load.';
  ELSIF TG_OP = 'TRUNCATE' AND TG_ARGV[0] <> 'scratch' THEN
    RAISE EXCEPTION 'TRUNCATE of %.% refused on the emergency standby', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'HS001', HINT = 'Use DELETE.';
  END IF;
  RETURN NULL;
END
$gate$;

-- Refuses DDL, but for temporary objects and, while open, CREATE SEQUENCE (some systems make one per day) and the
-- refresh of materialized views.
CREATE FUNCTION his_emergency.refuse_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $ddl$
DECLARE
  command record;
  is_open boolean := (SELECT last_value FROM his_emergency.gate) = his_emergency.server_started();
BEGIN
  FOR command IN SELECT command_tag, schema_name, object_identity FROM pg_event_trigger_ddl_commands() LOOP
    IF command.schema_name = 'pg_temp' OR command.schema_name LIKE 'pg\_temp\_%' THEN
      CONTINUE;
    ELSIF is_open AND command.command_tag IN ('CREATE SEQUENCE', 'REFRESH MATERIALIZED VIEW') THEN
      CONTINUE;
    END IF;
    RAISE EXCEPTION '% refused on the emergency standby', command.command_tag
      USING ERRCODE = 'HS001', HINT = 'Change the schema on the primary; the next snapshot and load bring it here.';
  END LOOP;
END
$ddl$;

CREATE FUNCTION his_emergency.refuse_drop() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $drop$
BEGIN
  IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE original AND NOT is_temporary) THEN
    RAISE EXCEPTION '% refused on the emergency standby', TG_TAG
      USING ERRCODE = 'HS001', HINT = 'Change the schema on the primary; the next snapshot and load bring it here.';
  END IF;
END
$drop$;

-- Where a change comes from, kept per trigger depth in settings of the transaction: a statement at depth d says for
-- what its triggers do at depth d + 1 whether the primary's own triggers will do it again (argument: refire | replay).
CREATE FUNCTION his_emergency.mark() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $mark$
DECLARE
  depth integer := pg_trigger_depth();
  again boolean := TG_ARGV[0] = 'refire' OR (depth > 1 AND current_setting('his_emergency.left_' || depth, true) = 'on');
BEGIN
  PERFORM set_config('his_emergency.left_' || depth + 1, CASE WHEN again THEN 'on' ELSE 'off' END, true);
  IF TG_LEVEL = 'STATEMENT' OR TG_WHEN = 'AFTER' THEN
    RETURN NULL;
  ELSIF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;
  RETURN NEW;
END
$mark$;

-- What a window may ask of this database: the event while it is open, and where its data ends.
CREATE FUNCTION his_emergency.standing() RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $standing$
  SELECT jsonb_build_object(
    'event', CASE WHEN (SELECT last_value FROM his_emergency.gate) = his_emergency.server_started()
                  THEN g.site || '-' || CASE WHEN current_database() LIKE '%\_drill' THEN 'D' || e.last_value
                                             ELSE lpad(e.last_value::text, greatest(4, length(e.last_value::text)), '0') END END,
    'data_until', g.taken_at, 'drill', current_database() LIKE '%\_drill')
  FROM his_emergency.generation g, his_emergency.epoch e
$standing$;

-- The record of what was brought back into a restored primary. No parameters; may be run again.
CREATE TABLE IF NOT EXISTS his_emergency.backfill (
  event             text PRIMARY KEY REFERENCES his_emergency.event,
  snapshot          text NOT NULL,
  system_identifier text NOT NULL,   -- of the primary that the snapshot is of
  changed           text NOT NULL,   -- what was done about rows that differ: hold | snapshot | primary
  run               bigint NOT NULL REFERENCES his_emergency.merge_run,
  by                text NOT NULL,
  host              text NOT NULL,
  begun_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at       timestamptz
);

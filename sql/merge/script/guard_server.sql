-- Refuses everything but the primary that the batches are of, and one that has forgotten what the snapshot had; and a second merge at the same time.
-- Parameters: systems [identifier] (of the batches), database_oid, next_xid, timeline, wal, snapshot, newest, stands_for (texts of sql/merge/backfill).
DO $guard$
DECLARE
  wanted text;
  stands boolean;
  back text;
  timeline integer;
  away constant text := 'check the connection: this script was made for one database and is for no other. If this primary was restored, failed over or rebuilt, what it forgot must come back first: his-merge backfill.';
BEGIN
  IF pg_is_in_recovery() THEN
    RAISE EXCEPTION USING ERRCODE = 'HSC04', MESSAGE = 'this server is a replica in recovery, not the primary', HINT = 'run the script on the server that takes writes.';
  END IF;
  -- The lock that his-merge takes: one merge at a time.
  IF NOT pg_try_advisory_xact_lock(1212765509, 2) THEN
    RAISE EXCEPTION USING ERRCODE = 'HSC04', MESSAGE = 'another merge is running', HINT = 'wait until his-merge, or another run of a script, has ended; then run this one again.';
  END IF;
  IF to_regclass('his_emergency.backfill') IS NOT NULL THEN
    EXECUTE {{ newest | lit }} INTO back;
  END IF;
  FOREACH wanted IN ARRAY ARRAY[{% for s in systems %}{{ s | lit }}{{ ", " if not loop.last }}{% endfor %}]::text[] LOOP
    stands := false;
    IF to_regclass('his_emergency.backfill') IS NOT NULL THEN
      EXECUTE {{ stands_for | lit }} INTO stands USING wanted;
    END IF;
    IF NOT stands AND wanted <> (SELECT system_identifier::text FROM pg_control_system()) THEN
      RAISE EXCEPTION USING ERRCODE = 'HSC04', HINT = away,
        MESSAGE = format('this primary is another server (system identifier %s, expected %s)', (SELECT system_identifier FROM pg_control_system()), wanted);
    END IF;
  END LOOP;
  IF back >= {{ snapshot | lit }} COLLATE "C" THEN
    RETURN;
  END IF;
  IF (SELECT oid FROM pg_database WHERE datname = current_database()) <> {{ database_oid }} THEN
    RAISE EXCEPTION USING ERRCODE = 'HSC04', HINT = away,
      MESSAGE = format('''%s'' is another database of this server, or was dropped and restored (oid %s, expected {{ database_oid }})', current_database(), (SELECT oid FROM pg_database WHERE datname = current_database()));
  END IF;
  timeline := ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int;
  IF pg_snapshot_xmax(pg_current_snapshot())::text::numeric < {{ next_xid }} OR timeline < {{ timeline }}
    OR timeline = {{ timeline }} AND pg_current_wal_insert_lsn() < {{ wal | lit }}::pg_lsn THEN
    RAISE EXCEPTION USING ERRCODE = 'HSC04', HINT = away, MESSAGE = 'this primary is older than the snapshot ' || {{ snapshot | lit }};
  END IF;
END
$guard$;

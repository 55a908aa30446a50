-- Refuses a ledger that is older than what the store knows, lacks the batch before the first of these, has another batch of the same number, or has
-- something that only his-merge can go on with. Parameters: run (the last that the store has seen), to_settle, held_tables (texts of sql/merge), known (JSON
-- of the tables and columns that this script knows).
DO $guard$
DECLARE
  b record;
  other text;
  last bigint := (SELECT coalesce(max(run), 0) FROM his_emergency.merge_run);
BEGIN
  IF last < {{ run }} THEN
    RAISE EXCEPTION USING ERRCODE = 'HSC04', MESSAGE = format('its merge ledger ends at run %s (expected at least {{ run }})', last),
      HINT = 'this primary has forgotten merges, as one restored from a backup has: what it forgot comes back first, by his-merge backfill.';
  END IF;
  FOR b IN SELECT s.*, l.sha256 AS there, p.sha256 AS before FROM pg_temp.script_batch s
    LEFT JOIN his_emergency.batch l USING (event, batch)
    LEFT JOIN his_emergency.batch p ON p.event = s.event AND p.batch = s.batch - 1
    ORDER BY s.epoch, s.batch
  LOOP
    IF b.there <> b.sha256 THEN
      RAISE EXCEPTION USING ERRCODE = 'HSC05', HINT = 'compare the two before anything else is merged.',
        MESSAGE = format('another batch %s of %s is merged already (its SHA-256 is %s, expected %s)', b.batch, b.event, b.there, b.sha256);
    ELSIF b.there IS NULL AND b.batch > 1 AND b.before IS DISTINCT FROM b.previous
      AND NOT EXISTS (SELECT FROM pg_temp.script_batch e WHERE e.event = b.event AND e.batch = b.batch - 1) THEN
      RAISE EXCEPTION USING ERRCODE = 'HSC05', HINT = 'run the script of the batches before this one first, or make one script of all of them.',
        MESSAGE = format('batch %s of %s is missing: the ledger does not have it (expected SHA-256 %s)', b.batch - 1, b.event, b.previous);
    END IF;
  END LOOP;
  EXECUTE {{ to_settle | lit }} INTO other;
  IF other IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'HSC04', MESSAGE = 'a decision about ' || other || ', which brought rows back, is not carried out yet', HINT = 'only his-merge can do that; run it on this primary first.';
  END IF;
  FOR b IN EXECUTE 'SELECT * FROM (' || rtrim({{ held_tables | lit }}, E';\n') || ') q (held, columns)' LOOP
    IF NOT coalesce(({{ known | lit }}::jsonb -> b.held) @> to_jsonb(b.columns), false) THEN
      RAISE EXCEPTION USING ERRCODE = 'HSC04', MESSAGE = 'the ledger holds units of the table ' || b.held || ', or of columns of it, that this script does not know',
        HINT = 'write the script again on a machine whose store has the batches of these units.';
    END IF;
  END LOOP;
END
$guard$;

-- The content of each unit is one number; a unit that the ledger knows with another is damage. No parameters.
DO $same$
DECLARE
  other text := (SELECT name FROM pg_temp.unit WHERE known_hash IS NOT NULL AND b > 0 AND hash IS DISTINCT FROM known_hash ORDER BY u LIMIT 1);
BEGIN
  IF other IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'HSC05', MESSAGE = 'unit ' || other || ': the ledger knows a unit of that id with other content',
      HINT = 'one of the two was made from another database or changed by hand; keep both and compare them before anything else is merged.';
  END IF;
END
$same$;

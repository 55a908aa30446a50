-- Adds what a ledger lacks that an earlier version made. No parameters; may be run again, and then needs no right to change it.
DO $later$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = 'his_emergency.brought'::pg_catalog.regclass AND attname = 'site' AND NOT attisdropped) THEN
    ALTER TABLE his_emergency.brought ADD COLUMN IF NOT EXISTS site text;
  END IF;
END
$later$;

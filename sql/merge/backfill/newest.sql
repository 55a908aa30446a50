-- The newest snapshot whose rows were all brought back, or are held and listed. No parameters.
SELECT max(snapshot COLLATE "C") FROM his_emergency.backfill WHERE finished_at IS NOT NULL;

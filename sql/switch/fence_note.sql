-- Notes that the fence is on; the first note stays. $1 event, $2 kind, $3 by, $4 host.
INSERT INTO his_emergency.fence (event, kind, by, host) VALUES ($1, $2, $3, $4) ON CONFLICT (only_one) DO NOTHING;

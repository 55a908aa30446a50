-- Notes an event. $1 event, $2 epoch.
INSERT INTO his_emergency.event (event, epoch) VALUES ($1, $2) ON CONFLICT (event) DO NOTHING;

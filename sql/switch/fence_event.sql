-- Notes the event for which the fence is on. $1 event.
INSERT INTO his_emergency.fence_event (event) VALUES ($1) ON CONFLICT (event) DO UPDATE SET lifted_at = NULL;

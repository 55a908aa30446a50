-- Opens the gate for the windows. $1 epoch of the event. The epoch is set first: nothing may be captured under an old one.
SELECT pg_catalog.setval('his_emergency.epoch', $1), pg_catalog.setval('his_emergency.gate', his_emergency.server_started());

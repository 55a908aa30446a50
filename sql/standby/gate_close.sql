-- Shuts the gate, in the transaction that holds gate_lock. No parameters.
SELECT pg_catalog.setval('his_emergency.gate', 0);

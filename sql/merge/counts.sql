-- Units in the ledger by outcome. No parameters.
SELECT count(*) FILTER (WHERE status = 'merged'), count(*) FILTER (WHERE status = 'held'), count(*) FILTER (WHERE status = 'rejected') FROM his_emergency.unit;

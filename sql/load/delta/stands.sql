-- Which snapshot this generation is of, and whether it was ever opened; nobody marks it as opened until this transaction ends. No parameters.
SELECT snapshot, snapshot_sha256, opened_event, (SELECT last_value FROM his_emergency.gate) AS gate
FROM his_emergency.generation FOR UPDATE

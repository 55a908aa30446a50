-- Records that a role has signed an event off. $1 event, $2 role, $3 by, $4 host, $5 totals.
INSERT INTO his_emergency.sign_off (event, role, by, host, totals) VALUES ($1, $2, $3, $4, $5);

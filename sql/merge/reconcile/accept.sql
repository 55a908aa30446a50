-- Records that a difference is lawful. $1 difference, $2 expected, $3 found, $4 by, $5 host, $6 why.
INSERT INTO his_emergency.accepted (difference, expected, found, by, host, why) VALUES ($1, $2, $3, $4, $5, $6);

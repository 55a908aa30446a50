-- Records one thing that the fence changed. $1 act, $2 role (NULL: PUBLIC), $3 grantor, $4 grantable.
INSERT INTO his_emergency.fence_part (act, role, grantor, grantable) VALUES ($1, $2, $3, $4);

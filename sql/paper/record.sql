-- Records one slip; nothing when it is there already. $1 number, $2 kind, $3 hash, $4 content, $5 written at, $6 by, $7 event.
INSERT INTO his_emergency.slip (slip_no, kind, hash, content, written_at, keyed_by, event)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (slip_no) DO NOTHING

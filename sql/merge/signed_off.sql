-- Who has signed an event off. $1 event.
SELECT role, by, at FROM his_emergency.sign_off WHERE event = $1 ORDER BY at;

-- Notes which event opened this generation first; a second opening changes nothing. $1 event.
UPDATE his_emergency.generation SET opened_event = $1 WHERE opened_event IS NULL;

-- Whether this server knows that the fence was ever put on for this event. $1 event.
SELECT EXISTS (SELECT FROM his_emergency.fence_event WHERE event = $1);

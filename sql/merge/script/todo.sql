-- Whether there is anything to do: a script that was run already only prints its receipt again. No parameters.
SELECT EXISTS (SELECT FROM pg_temp.script_batch s WHERE NOT EXISTS (SELECT FROM his_emergency.batch l WHERE (l.event, l.batch) = (s.event, s.batch))) AS todo

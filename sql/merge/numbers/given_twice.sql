-- Official numbers of an event that were given more than once, by this or another event. $1 event.
SELECT table_name, column_name, official, count(*) FROM his_emergency.number_given
WHERE (table_name, column_name, official) IN (SELECT table_name, column_name, official FROM his_emergency.number_given WHERE event = $1)
GROUP BY 1, 2, 3 HAVING count(*) > 1 ORDER BY 1, 2, 3;

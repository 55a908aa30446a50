-- 号源差异: number sources that the event touched and whose remaining slots are not the limit less what is sold and booked.
-- An appointment holds its slot until it is cancelled; taking its number takes no second one.
SELECT s.id, s.work_date, s.session, s.doctor_id, s.slot_limit, s.slots_left,
       s.slot_limit - sold.registrations - sold.appointments AS should_be_left
  FROM outpatient.schedule AS s
 CROSS JOIN LATERAL (
       SELECT (SELECT count(*) FROM outpatient.registration AS r WHERE r.schedule_id = s.id AND r.status <> 2) AS registrations,
              (SELECT count(*) FROM outpatient.appointment AS a WHERE a.schedule_id = s.id AND a.status IN (0, 3)) AS appointments
       ) AS sold
 WHERE s.id IN (SELECT id FROM "captured outpatient.schedule" UNION SELECT schedule_id FROM "captured outpatient.registration"
                UNION SELECT schedule_id FROM "captured outpatient.appointment")
   AND s.slots_left <> s.slot_limit - sold.registrations - sold.appointments
 ORDER BY s.id;

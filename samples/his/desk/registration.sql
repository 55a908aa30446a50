-- 挂号、取号、退号.

-- 号源 {department?}
CREATE FUNCTION desk.list_schedules(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
BEGIN
  RETURN jsonb_build_object('schedules', coalesce((
    SELECT jsonb_agg(jsonb_build_object(
             'schedule', s.id, 'session', s.session, 'department', d.name, 'department_code', d.code,
             'department_initials', d.name_phonetic, 'doctor', t.name, 'doctor_initials', t.name_phonetic,
             'title', t.title, 'level', l.name, 'fee', (l.registration_fee + l.consultation_fee)::text, 'left', s.slots_left)
           ORDER BY d.code, s.session, t.staff_no)
      FROM outpatient.schedule AS s
      JOIN base.department AS d ON d.id = s.department_id
      JOIN base.staff AS t ON t.id = s.doctor_id
      JOIN base.registration_level AS l ON l.id = s.level_id
     WHERE s.work_date = outpatient.today() AND s.status = 0
       AND (ask->>'department' IS NULL OR d.code = ask->>'department' OR d.name_phonetic = upper(ask->>'department'))), '[]'));
END $$;

-- 预约 {patient?}: who is booked today and has not come yet.
CREATE FUNCTION desk.list_appointments(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
BEGIN
  RETURN jsonb_build_object('appointments', coalesce((
    SELECT jsonb_agg(jsonb_build_object('appointment', a.id, 'patient', p.id, 'name', p.name, 'from', to_char(a.slot_from, 'HH24:MI'),
                     'to', to_char(a.slot_to, 'HH24:MI'), 'schedule', s.id, 'department', d.name, 'doctor', t.name)
           ORDER BY a.slot_from, a.id)
      FROM outpatient.appointment AS a
      JOIN outpatient.schedule AS s ON s.id = a.schedule_id
      JOIN outpatient.patient AS p ON p.id = a.patient_id
      JOIN base.department AS d ON d.id = s.department_id
      JOIN base.staff AS t ON t.id = s.doctor_id
     WHERE a.status = 0 AND s.status = 0 AND s.work_date = outpatient.today()
       AND (ask->>'patient' IS NULL OR a.patient_id = (ask->>'patient')::bigint)), '[]'));
END $$;

-- The lines of a registration's charge.
CREATE FUNCTION desk.registration_lines(level base.registration_level, department integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_agg(jsonb_build_object('item', f.item, 'price', f.price, 'quantity', 1, 'ordering_dept', department) ORDER BY f.n)
    FROM (VALUES (1, level.registration_item_id, level.registration_fee),
                 (2, level.consultation_item_id, level.consultation_fee)) AS f(n, item, price)
   WHERE f.price > 0 OR f.n = 2
$$;

-- 挂号 {patient, schedule | appointment, payments?, tendered?, insured?, again?, paper_no?}. With paper_no the patient shows
-- that he registered before the outage: 已挂号(凭纸质凭证), no money is taken, and the merge finds the two together.
CREATE FUNCTION desk.register(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'register');
  shift desk.shift;
  booked outpatient.appointment;
  slot outpatient.schedule;
  level base.registration_level;
  person outpatient.patient;
  category base.settlement_category;
  visit outpatient.registration;
  charge outpatient.charge;
  insured text;
  plan jsonb;
  cash jsonb := '{}';
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  shift := desk.my_shift(who);
  SELECT * INTO person FROM outpatient.patient WHERE id = desk.want(ask, 'patient')::bigint;
  IF person.id IS NULL THEN
    PERFORM desk.refuse('查无此患者', 'no such patient');
  END IF;

  -- Booking took the slot; taking the number takes no second one.
  IF ask->>'appointment' IS NOT NULL THEN
    UPDATE outpatient.appointment SET status = 1
     WHERE id = (ask->>'appointment')::bigint AND status = 0 AND patient_id = person.id RETURNING * INTO booked;
    IF booked.id IS NULL THEN
      PERFORM desk.refuse('该预约不可取号(已取号、已取消或不是本人)', 'this appointment cannot be used (taken, cancelled or of somebody else)');
    END IF;
    UPDATE outpatient.schedule SET current_no = current_no + 1
     WHERE id = booked.schedule_id AND status = 0 RETURNING * INTO slot;
  ELSE
    UPDATE outpatient.schedule SET slots_left = slots_left - 1, current_no = current_no + 1
     WHERE id = desk.want(ask, 'schedule')::integer AND work_date = outpatient.today() AND status = 0 AND slots_left > 0
    RETURNING * INTO slot;
  END IF;
  IF slot.id IS NULL THEN
    PERFORM desk.refuse('该号源已满或停诊', 'no number is left here, or the doctor is away');
  END IF;
  IF coalesce(ask->>'again', 'false') <> 'true' AND EXISTS (
       SELECT FROM outpatient.registration
        WHERE patient_id = person.id AND visit_date = slot.work_date AND department_id = slot.department_id AND status <> 2) THEN
    PERFORM desk.refuse('该患者今天已挂过本科室', 'this patient is registered in this department today already');
  END IF;

  SELECT * INTO level FROM base.registration_level WHERE id = slot.level_id;
  SELECT * INTO category FROM base.settlement_category WHERE id = person.settlement_category_id;
  INSERT INTO outpatient.registration (visit_date, visit_seq, schedule_id, department_id, doctor_id, level_id,
                                       patient_id, patient_name, patient_sex, patient_age, settlement_category_id,
                                       appointment_id, registration_fee, consultation_fee, operator_id, window_no)
  VALUES (slot.work_date, slot.current_no, slot.id, slot.department_id, slot.doctor_id, slot.level_id,
          person.id, person.name, person.sex, outpatient.age_text(person.birth_date, slot.work_date), category.id,
          booked.id, level.registration_fee, level.consultation_fee, who.staff_id, who.window_no)
  RETURNING * INTO visit;

  IF ask->>'paper_no' IS NOT NULL THEN
    INSERT INTO desk.proof (kind, patient_id, registration_id, paper_no, staff_id, window_no, event)
    VALUES ('registered', person.id, visit.id, desk.want(ask, 'paper_no'), who.staff_id, who.window_no, shift.event);
  ELSE
    insured := desk.insured_as(ask, category);
    IF insured IS DISTINCT FROM 'card_left' THEN
      PERFORM desk.check_payments(ask, person.id);
    END IF;
    plan := desk.put_together(
      jsonb_build_array(jsonb_build_object('lines', desk.registration_lines(level, slot.department_id))), category.discount_rate, desk.payments(ask, insured));
    cash := desk.cash_of(ask, plan);
    charge := desk.write_charge(who, shift, 'registration', visit.id, person.id, category.id, plan->0, insured,
                                nullif(ask->>'tendered', '')::numeric, NULL, NULL);
  END IF;
  RETURN desk.answer(ask, 'register', who, cash || jsonb_build_object(
    'registration', visit.id, 'registration_no', visit.registration_no, 'queue_no', visit.visit_seq,
    'paid', charge.paid::text,
    'charges', CASE WHEN charge.id IS NULL THEN '[]' ELSE jsonb_build_array(desk.charge_json(charge.id)) END));
EXCEPTION WHEN unique_violation THEN
  PERFORM desk.refuse('该凭证号已登记过', 'this paper number was recorded before');
END $$;

-- 退号 {registration, reason, approver, approver_secret}: gives the slot back, but not the number.
CREATE FUNCTION desk.cancel_registration(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'cancel_registration');
  shift desk.shift;
  approver integer;
  visit outpatient.registration;
  original outpatient.charge;
  back jsonb;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  shift := desk.my_shift(who);
  approver := desk.approver(ask, who);
  SELECT * INTO original FROM outpatient.charge
   WHERE registration_id = desk.want(ask, 'registration')::bigint AND kind = 'registration' AND status = 0 FOR UPDATE;
  UPDATE outpatient.registration SET status = 2
   WHERE id = (ask->>'registration')::bigint AND status = 0
     AND NOT EXISTS (SELECT FROM outpatient.doctor_order AS o WHERE o.registration_id = registration.id)
  RETURNING * INTO visit;
  IF visit.id IS NULL THEN
    PERFORM desk.refuse('已就诊、已退号或已有医嘱,不能退号', 'seen, cancelled or with orders: cannot be cancelled');
  END IF;
  UPDATE outpatient.schedule SET slots_left = slots_left + 1 WHERE id = visit.schedule_id;
  back := CASE WHEN original.id IS NULL THEN '{"refunded": "0.00", "due": "0.00"}'::jsonb
               ELSE desk.give_back(who, shift, original, NULL, desk.want(ask, 'reason'), approver) END;
  RETURN desk.answer(ask, 'cancel_registration', who, jsonb_build_object('registration', visit.id) || back);
END $$;

-- 排队 {department}: who waits, to be called by voice.
CREATE FUNCTION desk.queue(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
BEGIN
  RETURN jsonb_build_object('waiting', coalesce((
    SELECT jsonb_agg(jsonb_build_object('queue_no', r.visit_seq, 'name', r.patient_name, 'registration', r.id,
                     'department', d.name, 'doctor', t.name, 'session', s.session, 'registered_at', r.registered_at)
           ORDER BY d.code, t.staff_no, r.visit_seq)
      FROM outpatient.registration AS r
      JOIN outpatient.schedule AS s ON s.id = r.schedule_id
      JOIN base.department AS d ON d.id = r.department_id
      JOIN base.staff AS t ON t.id = r.doctor_id
     WHERE r.visit_date = outpatient.today() AND r.status = 0
       AND (d.code = desk.want(ask, 'department') OR d.name_phonetic = upper(ask->>'department') OR d.name = ask->>'department')), '[]'));
END $$;

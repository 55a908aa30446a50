-- What a window does, one function an act and one transaction a call. Loaded by schema.sql as part of the HIS.
--
-- Every act takes a client number, which is the cashier's place (0, 1, 2 …), and a seed, from which all its choices
-- follow; with seed 0 it chooses by the clock. The same session gets new choices at each call. Every act returns
-- one line that says what it did, or 'none' when there was nothing to do.
--
-- Lock order, the same in every act, so that no two of them can wait for each other:
--     order or charge (SKIP LOCKED: never waited for) > registration > schedule > patient > drug batch (by drug)
--     > card > receipt segment > receipt counter
-- The receipt counter is one row for all windows. It comes last, so that it is held only for the last few inserts.

-- A number from 0 to 2^62, fixed by client, seed, and how many acts this session has done.
CREATE FUNCTION outpatient.window_dice(client integer, seed bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = ''
AS $$
DECLARE
  turn bigint := coalesce(nullif(current_setting('his_window.turn', true), ''), '0')::bigint + 1;
BEGIN
  PERFORM set_config('his_window.turn', turn::text, false);
  IF seed = 0 THEN
    seed := hashint8extended((extract(epoch FROM clock_timestamp()) * 1000000)::bigint, pg_backend_pid());
  END IF;
  RETURN hashint8extended(turn, hashint8extended(seed, client)) & 4611686018427387903;
END $$;
COMMENT ON FUNCTION outpatient.window_dice(integer, bigint) IS '窗口演练:由种子得到的选择数';

-- The n-th choice out of `sides` possible ones, from 0.
CREATE FUNCTION outpatient.window_choice(dice bigint, n integer, sides bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$ SELECT (pg_catalog.hashint8extended(dice, n) & 4611686018427387903) % sides $$;
COMMENT ON FUNCTION outpatient.window_choice(bigint, integer, bigint) IS '窗口演练:第 n 个选择';

-- The cashier at this place. Places beyond the last cashier share.
CREATE FUNCTION outpatient.window_cashier(client integer) RETURNS integer
LANGUAGE sql STABLE SET search_path = ''
AS $$
  SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS cashiers
                    FROM base.staff WHERE role = 'cashier' AND is_active) AS s
   WHERE place = abs(client) % cashiers
$$;
COMMENT ON FUNCTION outpatient.window_cashier(integer) IS '窗口演练:窗口对应的收费员';

-- The 18th digit of a resident identity number (GB 11643).
CREATE FUNCTION outpatient.id_check_digit(digits text) RETURNS char(1)
LANGUAGE sql IMMUTABLE SET search_path = ''
AS $$
  SELECT substr('10X98765432', 1 + (sum(substr(digits, i::integer, 1)::integer * w)::integer % 11), 1)
    FROM unnest(ARRAY[7,9,10,5,8,4,2,1,6,3,7,9,10,5,8,4,2]) WITH ORDINALITY AS u(w, i)
$$;
COMMENT ON FUNCTION outpatient.id_check_digit(text) IS '身份证校验码';

CREATE FUNCTION outpatient.age_text(birth date, day date) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = ''
AS $$
  SELECT CASE WHEN birth IS NULL THEN '不详'
              WHEN day - birth < 31 THEN (day - birth) || '天'
              WHEN age(day, birth) < interval '3 years'
                THEN (extract(year FROM age(day, birth)) * 12 + extract(month FROM age(day, birth)))::int || '月'
              ELSE extract(year FROM age(day, birth))::int || '岁' END
$$;
COMMENT ON FUNCTION outpatient.age_text(date, date) IS '年龄(岁、月、天)';

-- A patient who is already known: dice over the planner's row estimate, because emergency numbers lie far above the
-- others and a dice over max(id) would mostly fall into the empty space between.
CREATE FUNCTION outpatient.window_known_patient(dice bigint, day date, department integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = ''
AS $$
DECLARE
  patients bigint;
  found bigint;
BEGIN
  SELECT reltuples::bigint INTO patients FROM pg_catalog.pg_class WHERE oid = 'outpatient.patient'::regclass;
  IF patients <= 0 THEN
    SELECT count(*) INTO patients FROM outpatient.patient;
  END IF;
  -- One registration a day in a department is enough; who has one already is passed over.
  SELECT p.id INTO found
    FROM outpatient.patient AS p
   WHERE p.id >= 1 + outpatient.window_choice(dice, 10, greatest(patients, 1))
     AND NOT EXISTS (SELECT FROM outpatient.registration AS r
                      WHERE r.patient_id = p.id AND r.visit_date = day AND r.department_id = department
                        AND r.status <> 2)
   ORDER BY p.id LIMIT 1;
  RETURN found;
END $$;
COMMENT ON FUNCTION outpatient.window_known_patient(bigint, date, integer) IS '窗口演练:选一位老患者';

-- A patient who comes for the first time, with a card. The identity number has no real region in front (98), the
-- phone number no real network (100), so neither can be anybody's. One in ten is without a document.
CREATE FUNCTION outpatient.window_new_patient(dice bigint, day date) RETURNS bigint
LANGUAGE plpgsql SET search_path = ''
AS $$
DECLARE
  surnames constant text[] := ARRAY['王','李','张','刘','陈','杨','黄','赵','吴','周','徐','孙','马','朱','欧阳'];
  surname_codes constant text[] := ARRAY['W','L','Z','L','C','Y','H','Z','W','Z','X','S','M','Z','OY'];
  givens constant text[] := ARRAY['伟','芳','娜','敏','静','丽','强','磊','军','洋','勇','艳','杰','涛','明','超','秀','霞','平','刚'];
  given_codes constant text[] := ARRAY['W','F','N','M','J','L','Q','L','J','Y','Y','Y','J','T','M','C','X','X','P','G'];
  s integer := 1 + outpatient.window_choice(dice, 20, 15);
  g integer := 1 + outpatient.window_choice(dice, 21, 20);
  h integer := 1 + outpatient.window_choice(dice, 22, 20);
  born date := day - outpatient.window_choice(dice, 23, 32000)::integer;
  digits text;
  document text;
  new_id bigint;
BEGIN
  IF outpatient.window_choice(dice, 24, 10) > 0 THEN
    digits := '98' || lpad(outpatient.window_choice(dice, 25, 10000)::text, 4, '0')
                   || to_char(born, 'YYYYMMDD') || lpad(outpatient.window_choice(dice, 26, 1000)::text, 3, '0');
    document := digits || outpatient.id_check_digit(digits);
  END IF;

  INSERT INTO outpatient.patient (name, name_phonetic, sex, birth_date, id_type, id_no, phone, address,
                                  settlement_category_id)
  VALUES (surnames[s] || givens[g] || givens[h], surname_codes[s] || given_codes[g] || given_codes[h],
          CASE WHEN outpatient.window_choice(dice, 26, 1000) % 2 = 1 THEN '1' ELSE '2' END, born,
          CASE WHEN document IS NOT NULL THEN '01' END, document,
          '100' || lpad(outpatient.window_choice(dice, 27, 100000000)::text, 8, '0'), '示例市示例区', 1)
  ON CONFLICT (id_type, id_no) WHERE id_no IS NOT NULL DO NOTHING
  RETURNING id INTO new_id;

  IF new_id IS NULL THEN
    SELECT id INTO new_id FROM outpatient.patient WHERE id_type = '01' AND id_no = document;
  ELSE
    INSERT INTO outpatient.card (card_no, card_type, patient_id)
    VALUES ('C' || lpad(new_id::text, greatest(10, length(new_id::text)), '0'), 'hospital', new_id);
  END IF;
  RETURN new_id;
END $$;
COMMENT ON FUNCTION outpatient.window_new_patient(bigint, date) IS '窗口演练:新患者建档发卡';

-- Writes the charge with its lines, payments and receipt. `lines` is an array of
-- {item, price, quantity, order_line, ordering_dept}; the rest of a line is copied from the dictionary.
CREATE FUNCTION outpatient.window_charge(
    dice bigint, cashier integer, client integer, kind outpatient.charge_kind,
    registration bigint, patient bigint, doctor_order bigint, category integer, discount_rate numeric, lines jsonb)
  RETURNS outpatient.charge
LANGUAGE plpgsql SET search_path = ''
AS $$
DECLARE
  methods constant text[] := ARRAY['CASH','CASH','CASH','WECHAT','WECHAT','WECHAT','ALIPAY','ALIPAY','BANK','CREDIT','CARD','CARD'];
  method text := methods[1 + outpatient.window_choice(dice, 40, 12)];
  splits boolean := outpatient.window_choice(dice, 41, 10) = 0;
  total numeric;
  discount numeric;
  rounding numeric := 0;
  due numeric;
  cash numeric;
  paying_card text;
  segment integer;
  printed bigint;
  done outpatient.charge;
BEGIN
  SELECT coalesce(sum(round((l->>'price')::numeric * (l->>'quantity')::numeric, 2)), 0) INTO total
    FROM jsonb_array_elements(lines) AS l;
  discount := round(total * discount_rate, 2);
  due := total - discount;

  -- Card first: it may have too little on it, and then the patient pays in cash.
  IF method = 'CARD' THEN
    UPDATE outpatient.card SET balance = balance - due
     WHERE card_no = (SELECT card_no FROM outpatient.card
                       WHERE patient_id = patient AND status = 0 AND balance >= due ORDER BY card_no LIMIT 1)
       AND status = 0 AND balance >= due
    RETURNING card_no INTO paying_card;
    IF paying_card IS NULL THEN
      method := 'CASH';
    END IF;
  END IF;
  IF method = 'CASH' THEN  -- there are no coins below 0.10 in the drawer
    rounding := round(due, 1) - due;
    due := due + rounding;
  END IF;

  UPDATE outpatient.receipt_segment SET current_no = current_no + 1
   WHERE cashier_id = cashier AND status = 0 RETURNING id, current_no INTO segment, printed;
  IF segment IS NULL THEN
    RAISE EXCEPTION 'cashier % has no receipts', cashier;
  END IF;

  INSERT INTO outpatient.charge (receipt_no, kind, registration_id, patient_id, order_id, settlement_category_id,
                                 total, discount, rounding, paid, cashier_id, window_no)
  VALUES (outpatient.next_receipt_no(), kind, registration, patient, doctor_order, category,
          total, discount, rounding, due, cashier, 'W' || lpad(client::text, 2, '0'))
  RETURNING * INTO done;

  INSERT INTO outpatient.charge_line (charge_id, line_no, item_id, item_name, spec, unit, price, quantity,
                                      receipt_class, reimbursement_class, order_id, order_line_no,
                                      ordering_dept_id, executing_dept_id)
  SELECT done.id, row_number() OVER (ORDER BY l.n), i.id, i.name, i.spec, i.unit,
         (l.v->>'price')::numeric, (l.v->>'quantity')::numeric, i.receipt_class, i.reimbursement_class,
         doctor_order, (l.v->>'order_line')::integer, (l.v->>'ordering_dept')::integer,
         coalesce(i.department_id, (l.v->>'ordering_dept')::integer)
    FROM jsonb_array_elements(lines) WITH ORDINALITY AS l(v, n)
    JOIN base.charge_item AS i ON i.id = (l.v->>'item')::integer;

  -- Some pay a part in cash and the rest by telephone.
  cash := CASE WHEN splits AND method IN ('WECHAT', 'ALIPAY') THEN floor(due / 2) ELSE 0 END;
  INSERT INTO outpatient.payment (charge_id, seq, pay_method, amount, card_no, trade_no)
  SELECT done.id, row_number() OVER (ORDER BY p.seq), p.method, p.amount,
         CASE WHEN p.method = 'CARD' THEN paying_card END,
         CASE WHEN p.method IN ('WECHAT', 'ALIPAY', 'BANK') THEN p.method || '-' || done.id END
    FROM (VALUES (1, 'CASH', cash), (2, method, due - cash)) AS p(seq, method, amount)
   WHERE p.amount <> 0 OR p.seq = 2;

  INSERT INTO outpatient.receipt (segment_id, printed_no, charge_id) VALUES (segment, printed, done.id);
  RETURN done;
END $$;
COMMENT ON FUNCTION outpatient.window_charge(bigint, integer, integer, outpatient.charge_kind, bigint, bigint, bigint, integer, numeric, jsonb)
  IS '窗口演练:写收费单、明细、支付、票据';

-- 挂号: a slot, a patient (one in five is new), the registration and its charge. One in eight takes the number of an
-- appointment, whose slot was taken when it was booked.
CREATE FUNCTION outpatient.window_register(client integer, seed bigint) RETURNS text
LANGUAGE plpgsql SET search_path = ''
AS $$
DECLARE
  dice bigint := outpatient.window_dice(client, seed);
  cashier integer := outpatient.window_cashier(client);
  day date := outpatient.today();
  booked outpatient.appointment;
  first_id integer;
  last_id integer;
  pivot integer;
  candidate integer;
  slot outpatient.schedule;
  level base.registration_level;
  category base.settlement_category;
  chosen bigint;
  who outpatient.patient;
  reg_id bigint;
  lines jsonb;
  done outpatient.charge;
BEGIN
  IF current_setting('his_window.turn') = '1' THEN
    INSERT INTO base.login_log (staff_id, terminal) VALUES (cashier, 'W' || lpad(client::text, 2, '0'));
  END IF;

  IF outpatient.window_choice(dice, 1, 8) = 0 THEN
    SELECT a.* INTO booked
      FROM outpatient.appointment AS a JOIN outpatient.schedule AS s ON s.id = a.schedule_id
     WHERE a.status = 0 AND s.work_date = day AND s.status = 0
     ORDER BY a.id LIMIT 1 FOR UPDATE OF a SKIP LOCKED;
  END IF;

  IF booked.id IS NOT NULL THEN
    UPDATE outpatient.schedule SET current_no = current_no + 1 WHERE id = booked.schedule_id RETURNING * INTO slot;
  ELSE
    SELECT min(id), max(id) INTO first_id, last_id FROM outpatient.schedule WHERE work_date = day;
    IF first_id IS NULL THEN
      RETURN 'none';
    END IF;
    pivot := first_id + outpatient.window_choice(dice, 2, last_id - first_id + 1)::integer;
    -- Another window may take the last slot between the look and the lock, so look again a few times.
    FOR attempt IN 1..5 LOOP
      SELECT id INTO candidate FROM outpatient.schedule
       WHERE work_date = day AND status = 0 AND slots_left > 0
       ORDER BY id < pivot, id LIMIT 1;
      EXIT WHEN candidate IS NULL;
      UPDATE outpatient.schedule SET slots_left = slots_left - 1, current_no = current_no + 1
       WHERE id = candidate AND status = 0 AND slots_left > 0 RETURNING * INTO slot;
      EXIT WHEN slot.id IS NOT NULL;
    END LOOP;
    IF slot.id IS NULL THEN
      RETURN 'none';
    END IF;
  END IF;

  -- In a statement of its own: in a WHERE it would be called for every row.
  chosen := coalesce(
    booked.patient_id,
    CASE WHEN outpatient.window_choice(dice, 3, 5) > 0
         THEN outpatient.window_known_patient(dice, day, slot.department_id) END,
    outpatient.window_new_patient(dice, day));
  SELECT * INTO STRICT who FROM outpatient.patient WHERE id = chosen;
  -- Now and then a known patient has a new telephone number.
  IF outpatient.window_choice(dice, 4, 12) = 0 THEN
    UPDATE outpatient.patient SET phone = '100' || lpad(outpatient.window_choice(dice, 5, 100000000)::text, 8, '0')
     WHERE id = who.id;
  END IF;
  SELECT * INTO level FROM base.registration_level WHERE id = slot.level_id;
  SELECT * INTO category FROM base.settlement_category WHERE id = who.settlement_category_id;

  IF booked.id IS NOT NULL THEN
    UPDATE outpatient.appointment SET status = 1 WHERE id = booked.id;
  END IF;
  INSERT INTO outpatient.registration (visit_date, visit_seq, schedule_id, department_id, doctor_id, level_id,
                                       patient_id, patient_name, patient_sex, patient_age, settlement_category_id,
                                       appointment_id, registration_fee, consultation_fee, operator_id, window_no)
  VALUES (slot.work_date, slot.current_no, slot.id, slot.department_id, slot.doctor_id, slot.level_id,
          who.id, who.name, who.sex, outpatient.age_text(who.birth_date, day), category.id,
          booked.id, level.registration_fee, level.consultation_fee, cashier, 'W' || lpad(client::text, 2, '0'))
  RETURNING id INTO reg_id;

  SELECT jsonb_agg(jsonb_build_object('item', f.item, 'price', f.price, 'quantity', 1,
                                      'ordering_dept', slot.department_id) ORDER BY f.n) INTO lines
    FROM (VALUES (1, level.registration_item_id, level.registration_fee),
                 (2, level.consultation_item_id, level.consultation_fee)) AS f(n, item, price)
   WHERE f.price > 0 OR f.n = 2;
  done := outpatient.window_charge(dice, cashier, client, 'registration', reg_id, who.id, NULL, category.id,
                                   category.discount_rate, lines);
  RETURN format('registration %s charge %s paid %s', reg_id, done.id, done.paid);
END $$;
COMMENT ON FUNCTION outpatient.window_register(integer, bigint) IS '窗口演练:挂号';

-- 收费: a doctor's order that nobody has paid yet.
CREATE FUNCTION outpatient.window_charge_order(client integer, seed bigint) RETURNS text
LANGUAGE plpgsql SET search_path = ''
AS $$
DECLARE
  dice bigint := outpatient.window_dice(client, seed);
  cashier integer := outpatient.window_cashier(client);
  day date := outpatient.today();
  unpaid bigint;
  pivot bigint;
  todo outpatient.doctor_order;
  line record;
  reg outpatient.registration;
  category base.settlement_category;
  lines jsonb;
  done outpatient.charge;
BEGIN
  -- By place and not by id, here and below: emergency numbers lie far above the others.
  SELECT count(*) INTO unpaid FROM outpatient.doctor_order WHERE charge_status = 0;
  IF unpaid = 0 THEN
    RETURN 'none';
  END IF;
  SELECT id INTO pivot FROM outpatient.doctor_order WHERE charge_status = 0
   ORDER BY id OFFSET outpatient.window_choice(dice, 1, unpaid) LIMIT 1;
  SELECT * INTO todo FROM outpatient.doctor_order
   WHERE charge_status = 0 AND id >= pivot ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF todo.id IS NULL THEN
    SELECT * INTO todo FROM outpatient.doctor_order
     WHERE charge_status = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
  END IF;
  IF todo.id IS NULL THEN
    RETURN 'none';
  END IF;

  SELECT jsonb_agg(jsonb_build_object('item', l.item_id, 'price', base.price_on(l.item_id, day),
                                      'quantity', l.quantity, 'order_line', l.line_no,
                                      'ordering_dept', todo.department_id) ORDER BY l.line_no) INTO lines
    FROM outpatient.order_line AS l WHERE l.order_id = todo.id;

  -- By drug, because the trigger locks the batches of each.
  FOR line IN SELECT line_no FROM outpatient.order_line WHERE order_id = todo.id ORDER BY item_id, line_no LOOP
    UPDATE outpatient.order_line SET charge_status = 1 WHERE order_id = todo.id AND line_no = line.line_no;
  END LOOP;
  UPDATE outpatient.doctor_order SET charge_status = 1 WHERE id = todo.id;

  SELECT * INTO reg FROM outpatient.registration WHERE id = todo.registration_id;
  SELECT * INTO category FROM base.settlement_category WHERE id = reg.settlement_category_id;
  done := outpatient.window_charge(dice, cashier, client, 'order', reg.id, todo.patient_id, todo.id, category.id,
                                   category.discount_rate, lines);
  RETURN format('order %s charge %s paid %s', todo.id, done.id, done.paid);
END $$;
COMMENT ON FUNCTION outpatient.window_charge_order(integer, bigint) IS '窗口演练:医嘱收费';

-- 退费: offsets one of this cashier's charges whole. An order can be refunded until it is carried out, a
-- registration until the patient has been seen; a returned registration gives its slot back, but not its number.
CREATE FUNCTION outpatient.window_refund(client integer, seed bigint) RETURNS text
LANGUAGE plpgsql SET search_path = ''
AS $$
DECLARE
  dice bigint := outpatient.window_dice(client, seed);
  cashier integer := outpatient.window_cashier(client);
  reasons constant text[] := ARRAY['患者要求', '医生改方', '重复收费', '药品缺货'];
  refundable bigint;
  pivot bigint;
  original outpatient.charge;
  reg outpatient.registration;
  line record;
  back record;
  segment integer;
  printed bigint;
  offset_id bigint;
BEGIN
  SELECT count(*) INTO refundable FROM outpatient.charge WHERE cashier_id = cashier AND status = 0;
  IF refundable = 0 THEN
    RETURN 'none';
  END IF;
  SELECT id INTO pivot FROM outpatient.charge WHERE cashier_id = cashier AND status = 0
   ORDER BY id OFFSET outpatient.window_choice(dice, 1, refundable) LIMIT 1;
  -- The first from there on that may still be refunded; not every charge may.
  SELECT c.* INTO original
    FROM outpatient.charge AS c
    JOIN outpatient.registration AS r ON r.id = c.registration_id
    LEFT JOIN outpatient.doctor_order AS o ON o.id = c.order_id
   WHERE c.cashier_id = cashier AND c.status = 0 AND c.id >= pivot
     AND CASE c.kind WHEN 'order' THEN o.charge_status = 1 AND o.exec_status = 0 ELSE r.status = 0 END
   ORDER BY c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED;
  IF original.id IS NULL THEN
    RETURN 'none';
  END IF;

  IF original.kind = 'order' THEN
    -- The pharmacy may be handing it out at this moment: the order's row decides.
    UPDATE outpatient.doctor_order SET charge_status = 2
     WHERE id = original.order_id AND charge_status = 1 AND exec_status = 0;
    IF NOT FOUND THEN
      RETURN 'none';
    END IF;
    FOR line IN SELECT line_no FROM outpatient.order_line WHERE order_id = original.order_id ORDER BY item_id, line_no LOOP
      UPDATE outpatient.order_line SET charge_status = 2 WHERE order_id = original.order_id AND line_no = line.line_no;
    END LOOP;
  ELSE
    UPDATE outpatient.registration SET status = 2
     WHERE id = original.registration_id AND status = 0 RETURNING * INTO reg;
    IF NOT FOUND THEN
      RETURN 'none';
    END IF;
    UPDATE outpatient.schedule SET slots_left = slots_left + 1 WHERE id = reg.schedule_id;
  END IF;

  FOR back IN SELECT card_no, amount FROM outpatient.payment
               WHERE charge_id = original.id AND card_no IS NOT NULL ORDER BY card_no LOOP
    UPDATE outpatient.card SET balance = balance + back.amount WHERE card_no = back.card_no;
  END LOOP;

  UPDATE outpatient.charge SET status = 1 WHERE id = original.id;
  UPDATE outpatient.receipt_segment SET current_no = current_no + 1
   WHERE cashier_id = cashier AND status = 0 RETURNING id, current_no INTO segment, printed;
  IF segment IS NULL THEN
    RAISE EXCEPTION 'cashier % has no receipts', cashier;
  END IF;

  INSERT INTO outpatient.charge (receipt_no, kind, registration_id, patient_id, order_id, settlement_category_id,
                                 total, discount, rounding, paid, insurance_paid, status, refund_of, refund_reason,
                                 cashier_id, window_no)
  VALUES (outpatient.next_receipt_no(), original.kind, original.registration_id, original.patient_id,
          original.order_id, original.settlement_category_id, -original.total, -original.discount,
          -original.rounding, -original.paid, -original.insurance_paid, 2, original.id,
          reasons[1 + outpatient.window_choice(dice, 2, 4)], cashier, 'W' || lpad(client::text, 2, '0'))
  RETURNING id INTO offset_id;

  INSERT INTO outpatient.charge_line (charge_id, line_no, item_id, item_name, spec, unit, price, quantity,
                                      receipt_class, reimbursement_class, order_id, order_line_no,
                                      ordering_dept_id, executing_dept_id)
  SELECT offset_id, line_no, item_id, item_name, spec, unit, price, -quantity, receipt_class, reimbursement_class,
         order_id, order_line_no, ordering_dept_id, executing_dept_id
    FROM outpatient.charge_line WHERE charge_id = original.id ORDER BY line_no;
  INSERT INTO outpatient.payment (charge_id, seq, pay_method, amount, card_no, trade_no)
  SELECT offset_id, seq, pay_method, -amount, card_no, trade_no
    FROM outpatient.payment WHERE charge_id = original.id ORDER BY seq;
  INSERT INTO outpatient.receipt (segment_id, printed_no, charge_id) VALUES (segment, printed, offset_id);
  RETURN format('refund %s of charge %s paid %s', offset_id, original.id, -original.paid);
END $$;
COMMENT ON FUNCTION outpatient.window_refund(integer, bigint) IS '窗口演练:退费(红冲)';

-- 开医嘱: not a window's act, but without it a long run has nothing left to charge.
CREATE FUNCTION outpatient.doctor_writes_order(client integer, seed bigint) RETURNS text
LANGUAGE plpgsql SET search_path = ''
AS $$
DECLARE
  dice bigint := outpatient.window_dice(client, seed);
  day date := outpatient.today();
  kinds constant outpatient.order_kind[] := ARRAY['drug','drug','drug','lab','exam','treatment'];
  kind outpatient.order_kind := kinds[1 + outpatient.window_choice(dice, 1, 6)];
  registrations bigint;
  pivot bigint;
  reg outpatient.registration;
  new_id bigint;
BEGIN
  SELECT count(*) INTO registrations FROM outpatient.registration WHERE visit_date = day;
  IF registrations = 0 THEN
    RETURN 'none';
  END IF;
  SELECT id INTO pivot FROM outpatient.registration WHERE visit_date = day
   ORDER BY id OFFSET outpatient.window_choice(dice, 2, registrations) LIMIT 1;
  SELECT * INTO reg FROM outpatient.registration
   WHERE visit_date = day AND status <> 2 AND id >= pivot
   ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF reg.id IS NULL THEN
    RETURN 'none';
  END IF;
  IF reg.status = 0 THEN
    UPDATE outpatient.registration SET status = 1 WHERE id = reg.id;
  END IF;
  INSERT INTO outpatient.doctor_order (registration_id, patient_id, kind, doctor_id, department_id, diagnosis)
  VALUES (reg.id, reg.patient_id, kind, reg.doctor_id, reg.department_id, '待查') RETURNING id INTO new_id;
  INSERT INTO outpatient.order_line (order_id, line_no, item_id, quantity, usage)
  SELECT new_id, row_number() OVER (ORDER BY i.id), i.id, 1 + (hashint8extended(dice, i.id) & 1),
         CASE WHEN kind = 'drug' THEN '口服 每日三次' END
    FROM (SELECT id FROM base.charge_item WHERE class = kind::text AND is_active
           ORDER BY hashint8extended(dice, id), id LIMIT 1 + outpatient.window_choice(dice, 3, 4)) AS i;
  RETURN format('order %s for registration %s', new_id, reg.id);
END $$;
COMMENT ON FUNCTION outpatient.doctor_writes_order(integer, bigint) IS '窗口演练:医生开单';

-- 日结: stamps the number of the close on everything of this cashier that no close covers yet.
CREATE FUNCTION outpatient.close_shift(cashier integer) RETURNS outpatient.shift_close
LANGUAGE plpgsql SET search_path = ''
AS $$
DECLARE
  new_id bigint;
  charges bigint[];
  done outpatient.shift_close;
BEGIN
  SELECT array_agg(c.id ORDER BY c.id) INTO charges
    FROM (SELECT id FROM outpatient.charge WHERE cashier_id = cashier AND close_id IS NULL ORDER BY id FOR UPDATE) AS c;
  IF charges IS NULL THEN
    RETURN NULL;
  END IF;
  INSERT INTO outpatient.shift_close (cashier_id, period_from, period_to, receipt_first, receipt_last,
                                      charge_count, refund_count, void_count, paid_total, refund_total)
  -- The zone is named, because the window's own may be another one.
  SELECT cashier, min(charged_at) AT TIME ZONE 'Asia/Shanghai', max(charged_at) AT TIME ZONE 'Asia/Shanghai',
         min(receipt_no), max(receipt_no),
         count(*) FILTER (WHERE status <> 2), count(*) FILTER (WHERE status = 2),
         (SELECT count(*) FROM outpatient.receipt AS v WHERE v.charge_id = ANY (charges) AND v.status = 1),
         sum(paid), coalesce(sum(paid) FILTER (WHERE status = 2), 0)
    FROM outpatient.charge WHERE id = ANY (charges)
  RETURNING * INTO done;
  new_id := done.id;
  INSERT INTO outpatient.shift_close_line (close_id, kind, code, count, amount)
  SELECT new_id, 'pay', pay_method, count(*), sum(amount)
    FROM outpatient.payment WHERE charge_id = ANY (charges) GROUP BY pay_method
  UNION ALL
  SELECT new_id, 'fee', receipt_class, count(*), sum(amount)
    FROM outpatient.charge_line WHERE charge_id = ANY (charges) GROUP BY receipt_class;
  UPDATE outpatient.charge SET close_id = new_id WHERE id = ANY (charges);
  UPDATE outpatient.registration SET close_id = new_id
   WHERE operator_id = cashier AND close_id IS NULL
     AND id IN (SELECT registration_id FROM outpatient.charge WHERE id = ANY (charges) AND kind = 'registration');
  RETURN done;
END $$;
COMMENT ON FUNCTION outpatient.close_shift(integer) IS '收费员日结';

CREATE FUNCTION outpatient.window_shift_close(client integer, seed bigint) RETURNS text
LANGUAGE plpgsql SET search_path = ''
AS $$
DECLARE
  done outpatient.shift_close := outpatient.close_shift(outpatient.window_cashier(client));
BEGIN
  IF done.id IS NULL THEN
    RETURN 'none';
  END IF;
  RETURN format('close %s of %s charges paid %s', done.id, done.charge_count + done.refund_count, done.paid_total);
END $$;
COMMENT ON FUNCTION outpatient.window_shift_close(integer, bigint) IS '窗口演练:收费员日结';

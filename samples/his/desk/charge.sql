-- 收费: doctors' orders first, more items beside them, one request and one payment for all.

-- 待收费医嘱 {patient}: what doctors wrote and nobody has paid, with today's prices.
CREATE FUNCTION desk.find_orders(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  person bigint := desk.want(ask, 'patient')::bigint;
BEGIN
  RETURN jsonb_build_object(
    'visits', coalesce((
      SELECT jsonb_agg(jsonb_build_object('registration', r.id, 'registration_no', r.registration_no, 'queue_no', r.visit_seq,
                       'department', d.name, 'doctor', t.name, 'status', r.status) ORDER BY r.id DESC)
        FROM outpatient.registration AS r
        JOIN base.department AS d ON d.id = r.department_id
        JOIN base.staff AS t ON t.id = r.doctor_id
       WHERE r.patient_id = person AND r.visit_date = outpatient.today() AND r.status <> 2), '[]'),
    'orders', coalesce((
      SELECT jsonb_agg(jsonb_build_object(
               'order', o.id, 'registration', o.registration_id, 'kind', o.kind, 'department', d.name, 'doctor', t.name,
               'amount', l.amount::text, 'lines', l.lines) ORDER BY o.id)
        FROM outpatient.doctor_order AS o
        JOIN base.department AS d ON d.id = o.department_id
        JOIN base.staff AS t ON t.id = o.doctor_id
        JOIN LATERAL (
          SELECT sum(round(p.price * n.quantity, 2)) AS amount,
                 jsonb_agg(jsonb_build_object('line', n.line_no, 'name', i.name, 'spec', i.spec, 'unit', i.unit,
                           'price', p.price::text, 'quantity', n.quantity::text,
                           'amount', round(p.price * n.quantity, 2)::text) ORDER BY n.line_no) AS lines
            FROM outpatient.order_line AS n
            JOIN base.charge_item AS i ON i.id = n.item_id
            CROSS JOIN LATERAL (SELECT base.price_on(i.id, outpatient.today()) AS price) AS p
           WHERE n.order_id = o.id) AS l ON true
       WHERE o.patient_id = person AND o.charge_status = 0
         AND NOT EXISTS (SELECT FROM desk.proof AS f WHERE f.order_id = o.id)), '[]'));
END $$;

-- 查价 {text}: by code, name or 拼音 initials.
CREATE FUNCTION desk.price_search(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  look text := btrim(desk.want(ask, 'text'));
BEGIN
  RETURN jsonb_build_object('items', coalesce((
    SELECT jsonb_agg(to_jsonb(f) - 'rank' ORDER BY f.rank, f.code) FROM (
      SELECT i.code, i.name, i.spec, i.unit, p.price::text AS price, i.receipt_class AS class, i.reimbursement_class AS insurance_class,
             CASE WHEN i.code = upper(look) THEN 0 WHEN i.name_phonetic = upper(look) THEN 1 ELSE 2 END AS rank
        FROM base.charge_item AS i
        CROSS JOIN LATERAL (SELECT base.price_on(i.id, outpatient.today()) AS price) AS p
       WHERE i.is_active AND i.class <> 'registration' AND p.price IS NOT NULL
         AND (i.code LIKE upper(look) || '%' OR i.name_phonetic LIKE upper(look) || '%' OR position(look IN i.name) > 0)
       ORDER BY rank, i.code LIMIT 50) AS f), '[]'));
END $$;

-- The charges that an ask comes to, as put_together wants them: one for each order, one for the items beside them.
-- Items need prices of today and an order of their own, which `charge` writes and `quote` does not.
CREATE FUNCTION desk.charges_of(ask jsonb, visit outpatient.registration) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  charges jsonb;
  extra jsonb;
BEGIN
  SELECT coalesce(jsonb_agg(jsonb_build_object('order', o.id, 'lines', (
           SELECT jsonb_agg(jsonb_build_object('item', l.item_id, 'quantity', l.quantity, 'order_line', l.line_no,
                            'price', base.price_on(l.item_id, outpatient.today()), 'ordering_dept', o.department_id) ORDER BY l.line_no)
             FROM outpatient.order_line AS l WHERE l.order_id = o.id)) ORDER BY o.id), '[]') INTO charges
    FROM outpatient.doctor_order AS o
   WHERE o.id IN (SELECT e::bigint FROM jsonb_array_elements_text(coalesce(ask->'orders', '[]')) AS e)
     AND o.charge_status = 0 AND o.patient_id = visit.patient_id;
  IF jsonb_array_length(charges) <> jsonb_array_length(coalesce(ask->'orders', '[]')) THEN
    PERFORM desk.refuse('医嘱已收费、已退费或不是本人', 'an order is paid, refunded or of somebody else');
  END IF;
  SELECT jsonb_agg(jsonb_build_object('item', i.id, 'quantity', (e.v->>'quantity')::numeric, 'order_line', e.n,
                   'price', base.price_on(i.id, outpatient.today()), 'ordering_dept', visit.department_id) ORDER BY e.n) INTO extra
    FROM jsonb_array_elements(coalesce(ask->'items', '[]')) WITH ORDINALITY AS e(v, n)
    JOIN base.charge_item AS i ON i.code = e.v->>'code' AND i.is_active AND i.class <> 'registration'
   WHERE (e.v->>'quantity')::numeric > 0;
  IF coalesce(jsonb_array_length(extra), 0) <> jsonb_array_length(coalesce(ask->'items', '[]')) THEN
    PERFORM desk.refuse('收费项目或数量不对', 'an item or a quantity is wrong');
  END IF;
  IF extra IS NOT NULL THEN
    charges := charges || jsonb_build_array(jsonb_build_object('lines', extra));
  END IF;
  IF jsonb_array_length(charges) = 0 THEN
    PERFORM desk.refuse('没有要收费的项目', 'there is nothing to charge');
  END IF;
  IF jsonb_path_exists(charges, '$[*].lines[*].price ? (@ == null)') THEN
    PERFORM desk.refuse('有项目没有现行价格', 'an item has no price today');
  END IF;
  RETURN charges;
END $$;

CREATE FUNCTION desk.visit_of(ask jsonb) RETURNS outpatient.registration
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  visit outpatient.registration;
BEGIN
  SELECT * INTO visit FROM outpatient.registration WHERE id = desk.want(ask, 'registration')::bigint AND status <> 2;
  IF visit.id IS NULL THEN
    PERFORM desk.refuse('没有这次挂号,或已退号', 'no such registration, or it was cancelled');
  END IF;
  RETURN visit;
END $$;

-- 试算: what register {patient, schedule | appointment, payments?, insured?} or charge {registration, orders?, items?, payments?,
-- insured?} would take. Nothing is written.
CREATE FUNCTION desk.quote(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  visit outpatient.registration;
  slot outpatient.schedule;
  level base.registration_level;
  category base.settlement_category;
  insured text;
  charges jsonb;
  plan jsonb;
BEGIN
  IF ask->>'registration' IS NOT NULL THEN
    visit := desk.visit_of(ask);
    SELECT * INTO category FROM base.settlement_category WHERE id = visit.settlement_category_id;
    charges := desk.charges_of(ask, visit);
  ELSE
    SELECT * INTO slot FROM outpatient.schedule WHERE id = coalesce(
      (SELECT schedule_id FROM outpatient.appointment WHERE id = (ask->>'appointment')::bigint), (ask->>'schedule')::integer);
    SELECT * INTO level FROM base.registration_level WHERE id = slot.level_id;
    SELECT g.* INTO category FROM outpatient.patient AS p JOIN base.settlement_category AS g ON g.id = p.settlement_category_id
     WHERE p.id = desk.want(ask, 'patient')::bigint;
    IF slot.id IS NULL OR category.id IS NULL THEN
      PERFORM desk.refuse('没有这个号源或患者', 'no such schedule or patient');
    END IF;
    charges := jsonb_build_array(jsonb_build_object('lines', desk.registration_lines(level, slot.department_id)));
  END IF;
  insured := desk.insured_as(ask, category);
  plan := desk.put_together(charges, category.discount_rate, desk.payments(ask, insured));
  RETURN desk.cash_of(ask, plan) || jsonb_build_object('insured', insured,
    'total', (SELECT sum((c->>'total')::numeric)::text FROM jsonb_array_elements(plan) AS c),
    'discount', (SELECT sum((c->>'discount')::numeric)::text FROM jsonb_array_elements(plan) AS c),
    'rounding', (SELECT sum((c->>'rounding')::numeric)::text FROM jsonb_array_elements(plan) AS c),
    'paid', (SELECT sum((c->>'paid')::numeric)::text FROM jsonb_array_elements(plan) AS c));
END $$;

-- 收费 {registration, orders?, items?: [{code, quantity}], payments?: [{method, amount?, reference?, card?}], tendered?, insured?,
-- expect?}. `expect` is what the patient was told; another sum is refused and not taken.
CREATE FUNCTION desk.charge(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'charge');
  shift desk.shift;
  visit outpatient.registration;
  category base.settlement_category;
  line record;
  one jsonb;
  plan jsonb;
  charges jsonb;
  cash jsonb;
  charge outpatient.charge;
  extra bigint;
  insured text;
  paid numeric := 0;
  written jsonb := '[]';
  first boolean := true;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  shift := desk.my_shift(who);
  -- Locked in the order of their numbers, so that two windows cannot wait for each other.
  PERFORM FROM outpatient.doctor_order
    WHERE id IN (SELECT e::bigint FROM jsonb_array_elements_text(coalesce(ask->'orders', '[]')) AS e) ORDER BY id FOR UPDATE;
  visit := desk.visit_of(ask);
  SELECT * INTO category FROM base.settlement_category WHERE id = visit.settlement_category_id;
  insured := desk.insured_as(ask, category);
  charges := desk.charges_of(ask, visit);
  plan := desk.put_together(charges, category.discount_rate, desk.payments(ask, insured));
  cash := desk.cash_of(ask, plan);
  SELECT sum((c->>'paid')::numeric) INTO paid FROM jsonb_array_elements(plan) AS c;
  IF nullif(ask->>'expect', '')::numeric <> paid THEN
    PERFORM desk.refuse('应收金额已变,请重新核对', 'the sum has changed; look at it again');
  END IF;
  IF insured IS DISTINCT FROM 'card_left' THEN
    PERFORM desk.check_payments(ask, visit.patient_id);
  END IF;

  FOR one IN SELECT * FROM jsonb_array_elements(plan) LOOP
    IF one->>'order' IS NULL THEN
      INSERT INTO outpatient.doctor_order (registration_id, patient_id, kind, doctor_id, department_id, diagnosis)
      VALUES (visit.id, visit.patient_id, 'treatment', visit.doctor_id, visit.department_id, '窗口加收') RETURNING id INTO extra;
      INSERT INTO outpatient.order_line (order_id, line_no, item_id, quantity)
      SELECT extra, (l->>'order_line')::integer, (l->>'item')::integer, (l->>'quantity')::numeric
        FROM jsonb_array_elements(one->'lines') AS l;
      one := one || jsonb_build_object('order', extra);
    END IF;
    -- By drug, because the trigger locks the batches of each.
    FOR line IN SELECT order_id, line_no FROM outpatient.order_line
                 WHERE order_id = (one->>'order')::bigint ORDER BY item_id, line_no LOOP
      UPDATE outpatient.order_line SET charge_status = 1 WHERE order_id = line.order_id AND line_no = line.line_no;
    END LOOP;
    UPDATE outpatient.doctor_order SET charge_status = 1 WHERE id = (one->>'order')::bigint;
    charge := desk.write_charge(who, shift, 'order', visit.id, visit.patient_id, category.id, one, insured,
                                CASE WHEN first THEN nullif(ask->>'tendered', '')::numeric END, NULL, NULL);
    first := false;
    written := written || jsonb_build_array(desk.charge_json(charge.id));
  END LOOP;
  RETURN desk.answer(ask, 'charge', who, cash || jsonb_build_object('paid', paid::text, 'charges', written));
END $$;

-- 已缴费(凭纸质凭证) {patient, order, paper_no}: the patient shows that he paid before the outage. No money is taken; the
-- department may go on, and what the primary knows of it is compared after the merge.
CREATE FUNCTION desk.paid_on_paper(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'paid_on_paper');
  found outpatient.doctor_order;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  SELECT * INTO found FROM outpatient.doctor_order
   WHERE id = desk.want(ask, 'order')::bigint AND patient_id = desk.want(ask, 'patient')::bigint AND charge_status = 0 FOR UPDATE;
  IF found.id IS NULL THEN
    PERFORM desk.refuse('医嘱已收费、已退费或不是本人', 'an order is paid, refunded or of somebody else');
  END IF;
  INSERT INTO desk.proof (kind, patient_id, registration_id, order_id, paper_no, staff_id, window_no, event)
  VALUES ('paid', found.patient_id, found.registration_id, found.id, desk.want(ask, 'paper_no'), who.staff_id, who.window_no, desk.event());
  RETURN desk.answer(ask, 'paid_on_paper', who, jsonb_build_object('order', found.id, 'paper_no', ask->>'paper_no'));
EXCEPTION WHEN unique_violation THEN
  PERFORM desk.refuse('该凭证号已登记过', 'this paper number was recorded before');
END $$;

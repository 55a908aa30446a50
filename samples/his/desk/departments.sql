-- 执行科室: what is paid, what was handed out or done, and who is to be telephoned.

-- 已缴费待执行 {department}
CREATE FUNCTION desk.paid_orders(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  place text := desk.want(ask, 'department');
BEGIN
  RETURN jsonb_build_object('orders', coalesce((
    SELECT jsonb_agg(jsonb_build_object('order', f.id, 'kind', f.kind, 'name', f.name, 'patient', f.patient_id, 'record_no', f.medical_record_no,
                     'doctor', f.doctor, 'paper_no', f.paper_no, 'lines', f.lines) ORDER BY f.id)
      FROM (
        SELECT o.id, o.kind, p.name, o.patient_id, p.medical_record_no, t.name AS doctor, f.paper_no,
               (SELECT jsonb_agg(jsonb_build_object('line', l.line_no, 'name', i.name, 'spec', i.spec, 'unit', i.unit,
                                 'quantity', l.quantity::text, 'usage', l.usage) ORDER BY l.line_no)
                  FROM outpatient.order_line AS l
                  JOIN base.charge_item AS i ON i.id = l.item_id
                  JOIN base.department AS d ON d.id = coalesce(i.department_id, o.department_id)
                 WHERE l.order_id = o.id AND l.exec_status = 0 AND (l.charge_status = 1 OR f.id IS NOT NULL)
                   AND (d.code = place OR d.name_phonetic = upper(place) OR d.name = place)) AS lines
          FROM outpatient.doctor_order AS o
          JOIN outpatient.registration AS r ON r.id = o.registration_id
          JOIN outpatient.patient AS p ON p.id = o.patient_id
          JOIN base.staff AS t ON t.id = o.doctor_id
          LEFT JOIN desk.proof AS f ON f.order_id = o.id AND f.kind = 'paid'
         WHERE r.visit_date = outpatient.today() AND o.exec_status = 0 AND (o.charge_status = 1 OR f.id IS NOT NULL)
           AND NOT EXISTS (SELECT FROM desk.refund_due AS d JOIN outpatient.charge AS c ON c.id = d.charge_id
                            WHERE c.order_id = o.id AND d.status = 'open')) AS f
     WHERE f.lines IS NOT NULL), '[]'));
END $$;

-- 已发药 / 已执行 {order, lines?}: the order's row decides, so that nothing goes out twice or after a refund.
CREATE FUNCTION desk.confirm_done(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'confirm_done');
  found outpatient.doctor_order;
  wanted integer[];
  by_paper boolean;
  confirmed integer;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  SELECT * INTO found FROM outpatient.doctor_order WHERE id = desk.want(ask, 'order')::bigint FOR UPDATE;
  by_paper := EXISTS (SELECT FROM desk.proof WHERE order_id = found.id AND kind = 'paid');
  SELECT CASE WHEN ask->>'lines' IS NULL THEN array_agg(line_no)
              ELSE ARRAY(SELECT e::integer FROM jsonb_array_elements_text(ask->'lines') AS e) END INTO wanted
    FROM outpatient.order_line WHERE order_id = found.id AND charge_status <> 2;
  IF found.id IS NULL OR wanted IS NULL THEN
    PERFORM desk.refuse('没有这张医嘱', 'there is no such order');
  ELSIF EXISTS (SELECT FROM desk.refund_due AS d JOIN outpatient.charge AS c ON c.id = d.charge_id
                 WHERE c.order_id = found.id AND d.status = 'open') THEN
    PERFORM desk.refuse('该医嘱正在退费', 'this order is being refunded');
  END IF;
  UPDATE outpatient.order_line SET exec_status = 1, executed_at = now()
   WHERE order_id = found.id AND line_no = ANY (wanted) AND exec_status = 0 AND (charge_status = 1 OR by_paper AND charge_status = 0);
  GET DIAGNOSTICS confirmed = ROW_COUNT;
  IF confirmed <> cardinality(wanted) THEN
    PERFORM desk.refuse('未缴费、已退费或已执行', 'not paid, refunded or done already');
  END IF;
  UPDATE outpatient.doctor_order SET exec_status = 1
   WHERE id = found.id
     AND NOT EXISTS (SELECT FROM outpatient.order_line WHERE order_id = found.id AND exec_status = 0 AND charge_status <> 2);
  RETURN desk.answer(ask, 'confirm_done', who, jsonb_build_object('order', found.id, 'lines', wanted));
END $$;

-- 电话回访 {patient, about, phone?}, the list, and 已通知 {id}
CREATE FUNCTION desk.ask_callback(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'ask_callback');
  entered desk.callback;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  INSERT INTO desk.callback (patient_id, phone, about, asked_by)
  SELECT p.id, coalesce(nullif(ask->>'phone', ''), p.phone), desk.want(ask, 'about'), who.staff_id
    FROM outpatient.patient AS p
   WHERE p.id = desk.want(ask, 'patient')::bigint AND coalesce(nullif(ask->>'phone', ''), p.phone) IS NOT NULL
  RETURNING * INTO entered;
  IF entered.id IS NULL THEN
    PERFORM desk.refuse('查无此患者,或没有联系电话', 'no such patient, or no telephone number');
  END IF;
  RETURN desk.answer(ask, 'ask_callback', who, jsonb_build_object('id', entered.id));
END $$;

CREATE FUNCTION desk.callbacks(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
BEGIN
  RETURN jsonb_build_object('open', coalesce((
    SELECT jsonb_agg(jsonb_build_object('id', c.id, 'name', p.name, 'phone', c.phone, 'about', c.about, 'asked_at', c.asked_at) ORDER BY c.id)
      FROM desk.callback AS c JOIN outpatient.patient AS p ON p.id = c.patient_id WHERE c.told_at IS NULL), '[]'));
END $$;

CREATE FUNCTION desk.callback_done(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'callback_done');
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  UPDATE desk.callback SET told_by = who.staff_id, told_at = now() WHERE id = desk.want(ask, 'id')::bigint AND told_at IS NULL;
  IF NOT FOUND THEN
    PERFORM desk.refuse('没有这条回访,或已通知', 'no such call is to be made, or it was');
  END IF;
  RETURN desk.answer(ask, 'callback_done', who, jsonb_build_object('id', ask->'id'));
END $$;

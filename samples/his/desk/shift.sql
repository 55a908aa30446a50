-- 班结: on the standby 应急班结, of this shift's rows only; on the primary the HIS's own close, over everything that no close
-- covers yet, what the emergency brought back included.

CREATE FUNCTION desk.shift_figures(shift desk.shift) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH mine AS (
    SELECT c.*, v.number, v.printed_at AS paper_at FROM desk.voucher AS v JOIN outpatient.charge AS c ON c.id = v.charge_id WHERE v.shift_id = shift.id
  ), forms AS (
    SELECT e.prefix || lpad(f.printed_no::text, 8, '0') AS form, f.status FROM mine AS m
      JOIN outpatient.receipt AS f ON f.charge_id = m.id JOIN outpatient.receipt_segment AS e ON e.id = f.segment_id
  )
  SELECT jsonb_build_object(
    'shift', shift.id, 'event', shift.event, 'window', shift.window_no, 'opened_at', shift.opened_at, 'last_printed', shift.last_printed,
    'charges', (SELECT count(*) FROM mine WHERE status <> 2), 'refunds', (SELECT count(*) FROM mine WHERE status = 2),
    'registrations', (SELECT count(*) FROM mine WHERE status <> 2 AND kind = 'registration'),
    'paid', (SELECT coalesce(sum(paid), 0.00)::text FROM mine), 'refunded', (SELECT coalesce(sum(paid), 0.00)::text FROM mine WHERE status = 2),
    'cash', (SELECT coalesce(sum(p.amount), 0.00)::text FROM mine JOIN outpatient.payment AS p ON p.charge_id = mine.id WHERE p.pay_method = 'CASH'),
    'methods', coalesce((SELECT jsonb_agg(jsonb_build_object('method', f.code, 'name', f.name, 'count', f.count, 'amount', f.amount::text) ORDER BY f.code) FROM (
        SELECT m.code, m.name, count(*) AS count, sum(p.amount) AS amount FROM mine
          JOIN outpatient.payment AS p ON p.charge_id = mine.id JOIN base.pay_method AS m ON m.code = p.pay_method GROUP BY m.code, m.name) AS f), '[]'),
    'first_number', (SELECT min(number) FROM mine), 'last_number', (SELECT max(number) FROM mine),
    'first_form', (SELECT min(form) FROM forms), 'last_form', (SELECT max(form) FROM forms),
    'forms', (SELECT count(*) FROM forms),
    'void', coalesce((SELECT jsonb_agg(form ORDER BY form) FROM forms WHERE status = 1), '[]'),
    'not_printed', (SELECT count(*) FROM mine WHERE paper_at IS NULL),
    'refunds_due', (SELECT jsonb_build_object('count', count(*), 'amount', coalesce(sum(amount), 0.00)::text) FROM desk.refund_due
                     WHERE status = 'open' AND staff_id = shift.staff_id AND event IS NOT DISTINCT FROM shift.event),
    'insurance', (SELECT jsonb_build_object('count', count(*), 'amount', coalesce(sum(i.amount), 0.00)::text)
                    FROM desk.insurance_later AS i JOIN mine ON mine.id = i.charge_id WHERE i.status = 'open'),
    'proofs', (SELECT count(*) FROM desk.proof AS f WHERE f.staff_id = shift.staff_id AND f.event IS NOT DISTINCT FROM shift.event))
$$;

-- 本班汇总: what the close would say now.
CREATE FUNCTION desk.shift(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  shift desk.shift := desk.my_shift(desk.who(ask));
  figures jsonb := desk.shift_figures(shift);
BEGIN
  IF shift.event IS NULL THEN
    figures := figures || jsonb_build_object(
      'close_paid', (SELECT coalesce(sum(paid), 0.00)::text FROM outpatient.charge WHERE cashier_id = shift.staff_id AND close_id IS NULL),
      'cash', (SELECT coalesce(sum(p.amount), 0.00)::text FROM outpatient.charge AS c JOIN outpatient.payment AS p ON p.charge_id = c.id
                WHERE c.cashier_id = shift.staff_id AND c.close_id IS NULL AND p.pay_method = 'CASH'));
  END IF;
  RETURN figures;
END $$;

-- 班结 {counted}: the cash in the drawer.
CREATE FUNCTION desk.close_shift(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'close_shift');
  counted numeric := desk.want(ask, 'counted')::numeric;
  shift desk.shift;
  drawer jsonb;
  closed outpatient.shift_close;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  shift := desk.my_shift(who);
  drawer := desk.shift_figures(shift);
  IF shift.event IS NULL THEN
    closed := outpatient.close_shift(who.staff_id);
    drawer := drawer || jsonb_build_object('close', closed.id, 'close_paid', closed.paid_total::text, 'close_charges', closed.charge_count,
      'close_refunds', closed.refund_count,
      'close_cash', (SELECT coalesce(sum(amount), 0.00)::text FROM outpatient.shift_close_line WHERE close_id = closed.id AND kind = 'pay' AND code = 'CASH'));
    drawer := drawer || jsonb_build_object('cash', coalesce(drawer->>'close_cash', '0.00'));
  END IF;
  drawer := drawer || jsonb_build_object('counted', counted::text, 'over', (counted - (drawer->>'cash')::numeric)::text);
  UPDATE desk.shift AS s SET closed_at = now(), cash_expected = (drawer->>'cash')::numeric, cash_counted = counted,
                             figures = drawer
   WHERE s.id = shift.id;
  RETURN desk.answer(ask, 'close_shift', who, drawer);
END $$;

-- 交接单: what of the gap and of paper the drawer may hold beside the shift's own money.
CREATE FUNCTION desk.handover(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  first desk.shift;
  known bigint;
BEGIN
  SELECT * INTO first FROM desk.shift WHERE staff_id = who.staff_id AND event = desk.event() ORDER BY id LIMIT 1;
  SELECT max(f.printed_no) INTO known FROM outpatient.receipt AS f JOIN outpatient.receipt_segment AS e ON e.id = f.segment_id
   WHERE e.cashier_id = who.staff_id AND NOT EXISTS (SELECT FROM desk.voucher AS v WHERE v.charge_id = f.charge_id AND v.event = desk.event())
     AND f.printed_no <= coalesce(first.last_printed, f.printed_no);
  RETURN jsonb_build_object(
    'event', desk.event(), 'last_printed', first.last_printed, 'last_known', known,
    'gap_forms', greatest(first.last_printed - known, 0),
    'shifts', coalesce((SELECT jsonb_agg(coalesce(s.figures, desk.shift_figures(s)) ORDER BY s.id) FROM desk.shift AS s
                         WHERE s.staff_id = who.staff_id AND s.event = desk.event()), '[]'));
END $$;

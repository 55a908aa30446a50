-- What every act begins and ends with: the event, the login, the request that is done once.
--
-- Every function of the contract takes one jsonb and gives one jsonb; money goes as text. A refusal is an error of
-- class HD whose message is '中文 | English' and names nobody.

CREATE FUNCTION desk.refuse(zh text, en text) RETURNS void
LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION '%', zh || ' | ' || en USING ERRCODE = 'HD409'; END $$;

-- What must be in the ask.
CREATE FUNCTION desk.want(ask jsonb, key text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF coalesce(ask->>key, '') = '' THEN
    RAISE EXCEPTION '%', '缺少 ' || key || ' | ' || key || ' is missing' USING ERRCODE = 'HD400';
  END IF;
  RETURN ask->>key;
END $$;

-- Where we are: on an open standby the event and how far its data goes, on the primary neither.
CREATE FUNCTION desk.standing() RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  stands jsonb := '{}';
BEGIN
  IF to_regprocedure('his_emergency.standing()') IS NOT NULL THEN
    EXECUTE 'SELECT his_emergency.standing()' INTO stands;
  END IF;
  RETURN jsonb_build_object('event', stands->>'event', 'data_until', stands->>'data_until',
                            'drill', coalesce((stands->>'drill')::boolean, false), 'day', outpatient.today());
END $$;

CREATE FUNCTION desk.event() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT desk.standing()->>'event' $$;

CREATE FUNCTION desk.set_secret(staff text, secret text, approves boolean DEFAULT false) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO desk.secret (staff_id, salt, verifier, may_approve)
  SELECT s.id, t.salt, encode(sha256(convert_to(t.salt || ':' || secret, 'UTF8')), 'hex'), approves
    FROM base.staff AS s, (SELECT gen_random_uuid()::text AS salt) AS t WHERE s.staff_no = staff
  ON CONFLICT (staff_id) DO UPDATE
     SET salt = excluded.salt, verifier = excluded.verifier, may_approve = excluded.may_approve
$$;

-- The staff member whose number and secret these are; a wrong one waits, so that guessing is slow.
CREATE FUNCTION desk.check_secret(staff text, secret text) RETURNS desk.secret
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found desk.secret;
BEGIN
  SELECT k.* INTO found FROM desk.secret AS k JOIN base.staff AS s ON s.id = k.staff_id
   WHERE s.staff_no = staff AND s.is_active
     AND k.verifier = encode(sha256(convert_to(k.salt || ':' || secret, 'UTF8')), 'hex');
  IF found.staff_id IS NULL THEN
    PERFORM pg_sleep(0.5);
    PERFORM desk.refuse('工号或口令不对', 'wrong staff number or secret');
  END IF;
  RETURN found;
END $$;

CREATE FUNCTION desk.who(ask jsonb) RETURNS desk.session
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found desk.session;
BEGIN
  SELECT * INTO found FROM desk.session WHERE token = desk.want(ask, 'session')::uuid;
  IF found.token IS NULL THEN
    RAISE EXCEPTION '请重新登录 | log in again' USING ERRCODE = 'HD401';
  END IF;
  RETURN found;
END $$;

-- The second person that a refund and a new roll of receipts need.
CREATE FUNCTION desk.approver(ask jsonb, who desk.session) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found desk.secret := desk.check_secret(desk.want(ask, 'approver'), desk.want(ask, 'approver_secret'));
BEGIN
  IF found.staff_id = who.staff_id THEN
    PERFORM desk.refuse('审批人与收费员不能是同一人', 'cashier and approver must be two people');
  ELSIF NOT found.may_approve THEN
    PERFORM desk.refuse('该员工无审批权限', 'this member of staff may not approve');
  END IF;
  RETURN found.staff_id;
END $$;

-- The open shift of this cashier in this event. Money is only taken in one.
CREATE FUNCTION desk.my_shift(who desk.session) RETURNS desk.shift
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found desk.shift;
BEGIN
  SELECT * INTO found FROM desk.shift
   WHERE staff_id = who.staff_id AND coalesce(event, '') = coalesce(desk.event(), '') AND closed_at IS NULL;
  IF found.id IS NULL THEN
    PERFORM desk.refuse('请先开班', 'open a shift first');
  END IF;
  RETURN found;
END $$;

-- The answer of a request that was done before, or NULL. Whoever asks at the same time waits for the first.
CREATE FUNCTION desk.answered(ask jsonb, act text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id uuid := desk.want(ask, 'request')::uuid;
  earlier desk.request;
BEGIN
  PERFORM pg_advisory_xact_lock(1145393995, hashtext(id::text));
  SELECT * INTO earlier FROM desk.request AS r WHERE r.request_id = id;
  IF earlier.request_id IS NULL THEN
    RETURN NULL;
  ELSIF earlier.act <> answered.act OR earlier.content <> desk.content(ask) THEN
    PERFORM desk.refuse('同一请求号的内容不同', 'the same request id was used for something else');
  END IF;
  RETURN earlier.answer || '{"again": true}';
END $$;

-- What a request asks for, without who asks and with which secret.
CREATE FUNCTION desk.content(ask jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT md5((ask - 'session' - 'request' - 'approver_secret' - 'tendered')::text) $$;

-- Records the answer; with it goes what is left of the roll of receipts.
CREATE FUNCTION desk.answer(ask jsonb, act text, who desk.session, answer jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  answer := answer || jsonb_build_object('forms_left', desk.forms_left(who.staff_id));
  INSERT INTO desk.request (request_id, act, content, staff_id, window_no, event, answer)
  VALUES ((ask->>'request')::uuid, act, desk.content(ask), who.staff_id, who.window_no, desk.event(), answer);
  RETURN answer;
END $$;

-- What is left of this cashier's preprinted receipts; NULL without any.
CREATE FUNCTION desk.forms_left(cashier integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('prefix', prefix, 'next', current_no + 1, 'end', end_no, 'left', end_no - current_no)
    FROM outpatient.receipt_segment WHERE cashier_id = cashier AND status = 0
$$;

-- 登录 {staff_no, secret, window}
CREATE FUNCTION desk.login(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known desk.secret := desk.check_secret(desk.want(ask, 'staff_no'), desk.want(ask, 'secret'));
  staff base.staff;
  who desk.session;
  shift desk.shift;
BEGIN
  SELECT * INTO STRICT staff FROM base.staff WHERE id = known.staff_id;
  INSERT INTO desk.session (staff_id, window_no) VALUES (staff.id, desk.want(ask, 'window')) RETURNING * INTO who;
  SELECT * INTO shift FROM desk.shift
   WHERE staff_id = staff.id AND coalesce(event, '') = coalesce(desk.event(), '') AND closed_at IS NULL;
  RETURN desk.standing() || jsonb_build_object(
    'session', who.token, 'staff_no', staff.staff_no, 'name', staff.name, 'may_approve', known.may_approve,
    'window', who.window_no, 'shift', shift.id, 'forms', desk.forms_left(staff.id),
    'methods', (SELECT jsonb_agg(jsonb_build_object('code', m.code, 'name', m.name, 'needs_network', m.needs_network)
                       ORDER BY m.needs_network, m.code <> 'CASH', m.code)
                  FROM base.pay_method AS m WHERE m.is_active AND m.code <> 'INSURANCE'),
    'first_of_event', desk.event() IS NOT NULL AND NOT EXISTS (
      SELECT FROM desk.shift AS s WHERE s.staff_id = staff.id AND s.event = desk.event()));
END $$;

-- 开班 {last_printed}: the number of the last receipt printed before the outage, which an event's first shift wants.
CREATE FUNCTION desk.open_shift(ask jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session := desk.who(ask);
  done jsonb := desk.answered(ask, 'open_shift');
  in_event text := desk.event();
  shift desk.shift;
BEGIN
  IF done IS NOT NULL THEN RETURN done; END IF;
  IF EXISTS (SELECT FROM desk.shift
              WHERE staff_id = who.staff_id AND coalesce(event, '') = coalesce(in_event, '') AND closed_at IS NULL) THEN
    PERFORM desk.refuse('已有未结的班次', 'a shift is open already');
  END IF;
  IF in_event IS NOT NULL AND NOT EXISTS (SELECT FROM desk.shift WHERE staff_id = who.staff_id AND event = in_event) THEN
    PERFORM desk.want(ask, 'last_printed');
  END IF;
  INSERT INTO desk.shift (staff_id, window_no, event, last_printed)
  VALUES (who.staff_id, who.window_no, in_event, (ask->>'last_printed')::bigint) RETURNING * INTO shift;
  RETURN desk.answer(ask, 'open_shift', who, jsonb_build_object('shift', shift.id, 'opened_at', shift.opened_at));
END $$;

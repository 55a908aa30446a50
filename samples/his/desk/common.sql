-- What his-desk needs whatever the HIS is: the event, the session, the request that is done once, the shift, the numbers.
-- A site loads this file unchanged, and writes the acts themselves for its own tables, with three functions that are called
-- here:
--
--     desk.today() RETURNS date                            the day on which the windows work
--     desk.check_secret(staff text, secret text) RETURNS desk.member     refuses what is wrong
--     desk.forms_left(staff integer) RETURNS jsonb         what is left of a roll of receipts, or NULL
--
-- Every act takes one jsonb and gives one jsonb; money goes as text. A refusal is an error of class HD whose message is
-- '中文 | English' and names nobody.

CREATE SCHEMA desk;
COMMENT ON SCHEMA desk IS '应急窗口(his-desk)';

-- Who is logged in. It stays on the server where the login was: `scratch` in the profile.
CREATE TABLE desk.session (
    token      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    staff_id   integer NOT NULL,
    window_no  text NOT NULL,
    opened_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE desk.session IS '窗口会话';

-- Every request that changed something, with its answer: asked again, it is answered and not done again.
CREATE TABLE desk.request (
    request_id  uuid PRIMARY KEY,
    act         text NOT NULL,
    content     text NOT NULL,
    staff_id    integer NOT NULL,
    window_no   text NOT NULL,
    event       text,
    answer      jsonb NOT NULL,
    at          timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE desk.request IS '窗口请求(重试不重复)';
COMMENT ON COLUMN desk.request.content IS '请求内容的摘要';

CREATE TABLE desk.access (
    id         bigserial PRIMARY KEY,
    staff_id   integer NOT NULL,
    window_no  text NOT NULL,
    event      text,
    looked_by  text NOT NULL,
    found      bigint[] NOT NULL,
    at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE desk.access IS '患者信息查询记录';
COMMENT ON COLUMN desk.access.looked_by IS '查询方式(不记查询内容)';
COMMENT ON COLUMN desk.access.found IS '查到的患者编号';

CREATE TABLE desk.shift (
    id             bigserial PRIMARY KEY,
    staff_id       integer NOT NULL,
    window_no      text NOT NULL,
    event          text,
    opened_at      timestamptz NOT NULL DEFAULT now(),
    last_printed   bigint,
    closed_at      timestamptz,
    cash_expected  numeric(12,2),
    cash_counted   numeric(12,2),
    figures        jsonb
);
CREATE UNIQUE INDEX shift_open_key ON desk.shift (staff_id, coalesce(event, '')) WHERE closed_at IS NULL;
COMMENT ON TABLE desk.shift IS '应急班次';
COMMENT ON COLUMN desk.shift.last_printed IS '故障前最后一张票据的印刷号';

-- Numbered without gap per window and event.
CREATE TABLE desk.window_number (
    event      text NOT NULL,
    window_no  text NOT NULL,
    last_no    integer NOT NULL,
    PRIMARY KEY (event, window_no)
);
COMMENT ON TABLE desk.window_number IS '应急收费凭证编号(按窗口)';

CREATE TABLE desk.payment_reference (
    pay_method  text NOT NULL,
    reference   text NOT NULL,
    request_id  uuid NOT NULL,
    PRIMARY KEY (pay_method, reference)
);
COMMENT ON TABLE desk.payment_reference IS '非现金支付的交易号(全院唯一)';

CREATE TYPE desk.member AS (staff_id integer, may_approve boolean);

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
                            'drill', coalesce((stands->>'drill')::boolean, false), 'day', desk.today());
END $$;

CREATE FUNCTION desk.event() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT desk.standing()->>'event' $$;

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
  found desk.member := desk.check_secret(desk.want(ask, 'approver'), desk.want(ask, 'approver_secret'));
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

-- A new session of somebody whose secret was right: what `login` gives, but for the names and the ways of paying.
CREATE FUNCTION desk.begin_session(staff integer, at_window text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  who desk.session;
  shift desk.shift;
BEGIN
  INSERT INTO desk.session (staff_id, window_no) VALUES (staff, at_window) RETURNING * INTO who;
  SELECT * INTO shift FROM desk.shift
   WHERE staff_id = staff AND coalesce(event, '') = coalesce(desk.event(), '') AND closed_at IS NULL;
  IF shift.id IS NOT NULL THEN
    PERFORM desk.begin_numbers(who, shift);
  END IF;
  RETURN desk.standing() || jsonb_build_object(
    'session', who.token, 'window', who.window_no, 'shift', shift.id, 'forms', desk.forms_left(staff),
    'first_of_event', desk.event() IS NOT NULL AND NOT EXISTS (
      SELECT FROM desk.shift AS s WHERE s.staff_id = staff AND s.event = desk.event()));
END $$;

-- In which series this shift's 应急收费凭证 are numbered: the event's; outside one, the shift's own.
CREATE FUNCTION desk.series(shift desk.shift) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(shift.event, 'N' || shift.id) $$;

CREATE FUNCTION desk.begin_numbers(who desk.session, shift desk.shift) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO desk.window_number (event, window_no, last_no) VALUES (desk.series(shift), who.window_no, 0) ON CONFLICT DO NOTHING
$$;

-- The next number of this window. The row is made when the shift is opened, or at the login at another window, and is a counter in the profile: were it made by
-- the first charge, holding that charge at the merge would hold all that the window did afterwards.
CREATE FUNCTION desk.next_number(who desk.session, shift desk.shift) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  numbered integer;
BEGIN
  UPDATE desk.window_number SET last_no = last_no + 1
   WHERE event = desk.series(shift) AND window_no = who.window_no RETURNING last_no INTO numbered;
  IF numbered IS NULL THEN
    -- The shift was opened at another window after this login; a new one makes the row.
    RAISE EXCEPTION '请重新登录 | log in again' USING ERRCODE = 'HD401';
  END IF;
  RETURN desk.series(shift) || '-' || who.window_no || '-' || lpad(numbered::text, 5, '0');
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
  PERFORM desk.begin_numbers(who, shift);
  RETURN desk.answer(ask, 'open_shift', who, jsonb_build_object('shift', shift.id, 'opened_at', shift.opened_at));
END $$;

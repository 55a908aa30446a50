-- What the desk of this HIS keeps beside common.sql. Everything but `secret` is captured on the standby and comes back to the
-- primary with the event.

-- Who may log in at a desk. A site that has a staff password check of its own puts it into desk.check_secret.
CREATE TABLE desk.secret (
    staff_id     integer PRIMARY KEY REFERENCES base.staff,
    salt         text NOT NULL,
    verifier     text NOT NULL,
    may_approve  boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE desk.secret IS '窗口登录口令';
COMMENT ON COLUMN desk.secret.may_approve IS '可审批退费、发放票据';

ALTER TABLE desk.shift ADD FOREIGN KEY (staff_id) REFERENCES base.staff;

-- 应急收费凭证: one for each charge of the desk.
CREATE TABLE desk.voucher (
    charge_id   bigint PRIMARY KEY REFERENCES outpatient.charge,
    number      text NOT NULL UNIQUE,
    shift_id    bigint NOT NULL REFERENCES desk.shift,
    event       text,
    window_no   text NOT NULL,
    tendered    base.amount,
    printed_at  timestamptz,
    reprints    integer NOT NULL DEFAULT 0
);
CREATE INDEX voucher_shift_idx ON desk.voucher (shift_id);
COMMENT ON TABLE desk.voucher IS '应急收费凭证';
COMMENT ON COLUMN desk.voucher.printed_at IS '打印时间;为空即待补打';

-- A preprinted form that was spoiled keeps its number here and in outpatient.receipt.
CREATE TABLE desk.spoiled (
    segment_id  integer NOT NULL,
    printed_no  bigint NOT NULL,
    shift_id    bigint NOT NULL REFERENCES desk.shift,
    why         text NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (segment_id, printed_no)
);
COMMENT ON TABLE desk.spoiled IS '作废的票据';

CREATE SEQUENCE desk.segment_id_seq AS integer;
COMMENT ON SEQUENCE desk.segment_id_seq IS '窗口现场发放的票据领用段编号';

-- 待退费: what was not paid out at the window. Ends as paid or dropped.
CREATE TABLE desk.refund_due (
    id           bigserial PRIMARY KEY,
    charge_id    bigint NOT NULL REFERENCES outpatient.charge,
    lines        integer[],
    amount       base.amount NOT NULL,
    cause        text NOT NULL CHECK (cause IN ('not_cash', 'executed')),
    reason       text NOT NULL,
    staff_id     integer NOT NULL,
    approver_id  integer NOT NULL,
    event        text,
    at           timestamptz NOT NULL DEFAULT now(),
    status       text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid', 'dropped')),
    ended_by     integer,
    ended_at     timestamptz,
    note         text,
    CHECK ((status = 'open') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX refund_due_open_key ON desk.refund_due (charge_id) WHERE status = 'open';
COMMENT ON TABLE desk.refund_due IS '待退费';

-- 医保补结算清单: every insured charge of an event. Ends as settled or waived.
CREATE TABLE desk.insurance_later (
    charge_id     bigint PRIMARY KEY REFERENCES outpatient.charge,
    patient_id    bigint NOT NULL,
    insurance_no  text,
    mode          text NOT NULL CHECK (mode IN ('self_paid', 'card_left')),
    amount        base.amount NOT NULL,
    event         text,
    status        text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'settled', 'waived')),
    ended_by      integer,
    ended_at      timestamptz,
    note          text,
    CHECK ((status = 'open') = (ended_at IS NULL))
);
COMMENT ON TABLE desk.insurance_later IS '医保补结算清单';
COMMENT ON COLUMN desk.insurance_later.mode IS 'self_paid 先自费,card_left 留卡';

-- 已挂号、已缴费(凭纸质凭证): what a patient did just before the outage, after the standby's data ends.
CREATE TABLE desk.proof (
    id               bigserial PRIMARY KEY,
    kind             text NOT NULL CHECK (kind IN ('registered', 'paid')),
    patient_id       bigint NOT NULL,
    registration_id  bigint REFERENCES outpatient.registration,
    order_id         bigint REFERENCES outpatient.doctor_order,
    paper_no         text NOT NULL,
    staff_id         integer NOT NULL,
    window_no        text NOT NULL,
    event            text,
    at               timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, paper_no)
);
CREATE INDEX proof_order_idx ON desk.proof (order_id) WHERE order_id IS NOT NULL;
COMMENT ON TABLE desk.proof IS '凭纸质凭证的挂号与缴费';

-- 结果电话回访
CREATE TABLE desk.callback (
    id          bigserial PRIMARY KEY,
    patient_id  bigint NOT NULL REFERENCES outpatient.patient,
    phone       text NOT NULL,
    about       text NOT NULL,
    asked_by    integer NOT NULL,
    asked_at    timestamptz NOT NULL DEFAULT now(),
    told_by     integer,
    told_at     timestamptz
);
COMMENT ON TABLE desk.callback IS '结果电话回访';

CREATE INDEX payment_trade_no_idx ON outpatient.payment (trade_no) WHERE trade_no IS NOT NULL;

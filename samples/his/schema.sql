-- The reference outpatient HIS: what a hospital's own database looks like to the toolkit.
--
-- Load into an empty database, as the database's owner:
--     psql -X -v ON_ERROR_STOP=1 -d his -f schema.sql
-- It creates no role (see roles.sql) and no rows (see generate.sql).
--
-- Two schemas: `base` holds dictionaries, which windows only read; `outpatient` holds what happens at the windows.
-- Dictionary ids are given by hand and have no sequence. Everything that windows insert has one, or a natural key.

\set ON_ERROR_STOP 1
BEGIN;

SET LOCAL client_encoding = 'UTF8';
SET LOCAL client_min_messages = warning;

CREATE SCHEMA base;
CREATE SCHEMA outpatient;
COMMENT ON SCHEMA base IS '基础字典';
COMMENT ON SCHEMA outpatient IS '门诊业务';

-- doctor_order.ordered_at and shift_close keep local time without a zone, as many hospital systems do,
-- so the database itself has to say which local time that is.
DO $$
BEGIN
  EXECUTE format('ALTER DATABASE %I SET timezone TO %L', current_database(), 'Asia/Shanghai');
END $$;
SET LOCAL timezone = 'Asia/Shanghai';

CREATE DOMAIN base.amount AS numeric(14,2);
CREATE DOMAIN base.price AS numeric(14,4) CHECK (VALUE >= 0);
COMMENT ON DOMAIN base.amount IS '金额,元,两位小数';
COMMENT ON DOMAIN base.price IS '单价,元,四位小数';

CREATE TYPE base.staff_role AS ENUM ('doctor', 'nurse', 'cashier', 'registrar', 'pharmacist', 'finance');
CREATE TYPE outpatient.order_kind AS ENUM ('drug', 'lab', 'exam', 'treatment');
CREATE TYPE outpatient.charge_kind AS ENUM ('registration', 'order');
COMMENT ON TYPE base.staff_role IS '岗位:医生、护士、收费员、挂号员、药师、财务';
COMMENT ON TYPE outpatient.order_kind IS '医嘱类别:处方、检验、检查、治疗';
COMMENT ON TYPE outpatient.charge_kind IS '收费单类别:挂号、医嘱';


-- ---------------------------------------------------------------------------------------------------------------
-- base: dictionaries
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE base.department (
    id             integer PRIMARY KEY,
    code           text NOT NULL UNIQUE,
    name           text NOT NULL,
    name_phonetic  text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('clinical', 'technical', 'pharmacy', 'office')),
    location       text,
    is_active      boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE base.department IS '科室';
COMMENT ON COLUMN base.department.id IS '科室编号,由信息科分配';
COMMENT ON COLUMN base.department.code IS '科室代码';
COMMENT ON COLUMN base.department.name IS '科室名称';
COMMENT ON COLUMN base.department.name_phonetic IS '拼音码';
COMMENT ON COLUMN base.department.kind IS '性质:clinical 临床,technical 医技,pharmacy 药房,office 职能';
COMMENT ON COLUMN base.department.location IS '位置';
COMMENT ON COLUMN base.department.is_active IS '在用';

CREATE TABLE base.staff (
    id             integer PRIMARY KEY,
    staff_no       text NOT NULL UNIQUE,
    name           text NOT NULL,
    name_phonetic  text NOT NULL,
    role           base.staff_role NOT NULL,
    title          text,
    department_id  integer NOT NULL REFERENCES base.department,
    is_active      boolean NOT NULL DEFAULT true
);
CREATE INDEX staff_department_idx ON base.staff (department_id);
COMMENT ON TABLE base.staff IS '职工(医生、收费员、挂号员等)';
COMMENT ON COLUMN base.staff.id IS '职工编号';
COMMENT ON COLUMN base.staff.staff_no IS '工号';
COMMENT ON COLUMN base.staff.name IS '姓名';
COMMENT ON COLUMN base.staff.name_phonetic IS '拼音码';
COMMENT ON COLUMN base.staff.role IS '岗位';
COMMENT ON COLUMN base.staff.title IS '职称';
COMMENT ON COLUMN base.staff.department_id IS '所属科室';
COMMENT ON COLUMN base.staff.is_active IS '在岗';

-- No key at all, as such tables often are. Windows write it and nobody needs it back: `scratch` in the profile.
CREATE TABLE base.login_log (
    staff_id      integer NOT NULL,
    logged_in_at  timestamptz NOT NULL DEFAULT now(),
    terminal      text
);
COMMENT ON TABLE base.login_log IS '登录日志';
COMMENT ON COLUMN base.login_log.staff_id IS '职工';
COMMENT ON COLUMN base.login_log.logged_in_at IS '登录时间';
COMMENT ON COLUMN base.login_log.terminal IS '终端';

CREATE TABLE base.settlement_category (
    id             integer PRIMARY KEY,
    code           text NOT NULL UNIQUE,
    name           text NOT NULL,
    is_insured     boolean NOT NULL DEFAULT false,
    discount_rate  numeric(4,3) NOT NULL DEFAULT 0 CHECK (discount_rate BETWEEN 0 AND 1),
    is_active      boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE base.settlement_category IS '费别(与支付方式分开)';
COMMENT ON COLUMN base.settlement_category.id IS '费别编号';
COMMENT ON COLUMN base.settlement_category.code IS '代码';
COMMENT ON COLUMN base.settlement_category.name IS '名称';
COMMENT ON COLUMN base.settlement_category.is_insured IS '是否医保';
COMMENT ON COLUMN base.settlement_category.discount_rate IS '优惠比例,0 至 1';
COMMENT ON COLUMN base.settlement_category.is_active IS '在用';

CREATE TABLE base.pay_method (
    code           text PRIMARY KEY,
    name           text NOT NULL,
    needs_network  boolean NOT NULL,
    is_active      boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE base.pay_method IS '支付方式';
COMMENT ON COLUMN base.pay_method.code IS '代码';
COMMENT ON COLUMN base.pay_method.name IS '名称';
COMMENT ON COLUMN base.pay_method.needs_network IS '需要外部网络(断网时不可用)';
COMMENT ON COLUMN base.pay_method.is_active IS '在用';

CREATE TABLE base.charge_item (
    id                   integer PRIMARY KEY,
    code                 text NOT NULL UNIQUE,
    national_code        text,
    name                 text NOT NULL,
    name_phonetic        text NOT NULL,
    class                text NOT NULL CHECK (class IN ('registration', 'drug', 'lab', 'exam', 'treatment', 'material')),
    spec                 text,
    unit                 text NOT NULL,
    receipt_class        text NOT NULL,
    reimbursement_class  char(1) NOT NULL CHECK (reimbursement_class IN ('A', 'B', 'C')),
    department_id        integer REFERENCES base.department,
    is_active            boolean NOT NULL DEFAULT true
);
CREATE INDEX charge_item_class_idx ON base.charge_item (class);
COMMENT ON TABLE base.charge_item IS '收费项目';
COMMENT ON COLUMN base.charge_item.id IS '项目编号';
COMMENT ON COLUMN base.charge_item.code IS '院内代码';
COMMENT ON COLUMN base.charge_item.national_code IS '国家编码';
COMMENT ON COLUMN base.charge_item.name IS '名称';
COMMENT ON COLUMN base.charge_item.name_phonetic IS '拼音码';
COMMENT ON COLUMN base.charge_item.class IS '类别:registration 挂号诊查,drug 药品,lab 化验,exam 检查,treatment 治疗,material 材料';
COMMENT ON COLUMN base.charge_item.spec IS '规格';
COMMENT ON COLUMN base.charge_item.unit IS '单位';
COMMENT ON COLUMN base.charge_item.receipt_class IS '票据费用类别:挂号费、诊查费、检查费、化验费、治疗费、西药费等';
COMMENT ON COLUMN base.charge_item.reimbursement_class IS '医保类别:A 甲,B 乙,C 丙';
COMMENT ON COLUMN base.charge_item.department_id IS '执行科室';
COMMENT ON COLUMN base.charge_item.is_active IS '在用';

-- A new price is a new row. What was charged keeps its own price in charge_line.
CREATE TABLE base.charge_price (
    item_id     integer NOT NULL REFERENCES base.charge_item,
    valid_from  date NOT NULL,
    valid_to    date NOT NULL DEFAULT 'infinity',
    price       base.price NOT NULL,
    document    text,
    PRIMARY KEY (item_id, valid_from),
    CHECK (valid_from < valid_to)
);
COMMENT ON TABLE base.charge_price IS '价格(按有效期)';
COMMENT ON COLUMN base.charge_price.item_id IS '收费项目';
COMMENT ON COLUMN base.charge_price.valid_from IS '生效日期';
COMMENT ON COLUMN base.charge_price.valid_to IS '失效日期(不含)';
COMMENT ON COLUMN base.charge_price.price IS '单价';
COMMENT ON COLUMN base.charge_price.document IS '调价文号';

CREATE TABLE base.drug (
    item_id        integer PRIMARY KEY REFERENCES base.charge_item,
    dose_form      text NOT NULL,
    manufacturer   text NOT NULL,
    package_unit   text NOT NULL,
    package_split  integer NOT NULL CHECK (package_split > 0),
    split_unit     text NOT NULL,
    is_controlled  boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE base.drug IS '药品(收费项目的扩展)';
COMMENT ON COLUMN base.drug.item_id IS '收费项目';
COMMENT ON COLUMN base.drug.dose_form IS '剂型';
COMMENT ON COLUMN base.drug.manufacturer IS '生产厂家';
COMMENT ON COLUMN base.drug.package_unit IS '包装单位';
COMMENT ON COLUMN base.drug.package_split IS '拆零系数:一包装含最小单位数';
COMMENT ON COLUMN base.drug.split_unit IS '最小单位';
COMMENT ON COLUMN base.drug.is_controlled IS '特殊管理药品';

CREATE TABLE base.registration_level (
    id                   integer PRIMARY KEY,
    name                 text NOT NULL UNIQUE,
    registration_item_id integer NOT NULL REFERENCES base.charge_item,
    consultation_item_id integer NOT NULL REFERENCES base.charge_item,
    registration_fee     base.amount NOT NULL CHECK (registration_fee >= 0),
    consultation_fee     base.amount NOT NULL CHECK (consultation_fee >= 0),
    default_slots        integer NOT NULL CHECK (default_slots > 0),
    is_emergency         boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE base.registration_level IS '号别';
COMMENT ON COLUMN base.registration_level.id IS '号别编号';
COMMENT ON COLUMN base.registration_level.name IS '名称:普通、副主任、专家、急诊等';
COMMENT ON COLUMN base.registration_level.registration_item_id IS '挂号费收费项目';
COMMENT ON COLUMN base.registration_level.consultation_item_id IS '诊查费收费项目';
COMMENT ON COLUMN base.registration_level.registration_fee IS '挂号费';
COMMENT ON COLUMN base.registration_level.consultation_fee IS '诊查费';
COMMENT ON COLUMN base.registration_level.default_slots IS '每班默认限号数';
COMMENT ON COLUMN base.registration_level.is_emergency IS '急诊号';


-- ---------------------------------------------------------------------------------------------------------------
-- outpatient: patients and cards
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE outpatient.patient (
    id                      bigserial PRIMARY KEY,
    medical_record_no       text NOT NULL UNIQUE,
    name                    text NOT NULL CHECK (name <> ''),
    name_phonetic           text NOT NULL,
    sex                     char(1) NOT NULL CHECK (sex IN ('1', '2', '9')),
    birth_date              date,
    id_type                 char(2),
    id_no                   text,
    phone                   text,
    address                 text,
    settlement_category_id  integer NOT NULL REFERENCES base.settlement_category,
    insurance_no            text,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    CHECK ((id_type IS NULL) = (id_no IS NULL))
);
-- Newborns and unknown patients have no document; everybody else has each document once.
CREATE UNIQUE INDEX patient_document_key ON outpatient.patient (id_type, id_no) WHERE id_no IS NOT NULL;
CREATE INDEX patient_name_phonetic_idx ON outpatient.patient (name_phonetic);
CREATE INDEX patient_phone_idx ON outpatient.patient (phone);
COMMENT ON TABLE outpatient.patient IS '患者';
COMMENT ON COLUMN outpatient.patient.id IS '患者编号';
COMMENT ON COLUMN outpatient.patient.medical_record_no IS '门诊号';
COMMENT ON COLUMN outpatient.patient.name IS '姓名;身份不明者为无名氏';
COMMENT ON COLUMN outpatient.patient.name_phonetic IS '拼音码';
COMMENT ON COLUMN outpatient.patient.sex IS '性别:1 男,2 女,9 未知';
COMMENT ON COLUMN outpatient.patient.birth_date IS '出生日期';
COMMENT ON COLUMN outpatient.patient.id_type IS '证件类型:01 居民身份证,02 护照,03 港澳台居民证件;新生儿、无名氏为空';
COMMENT ON COLUMN outpatient.patient.id_no IS '证件号码';
COMMENT ON COLUMN outpatient.patient.phone IS '联系电话';
COMMENT ON COLUMN outpatient.patient.address IS '住址';
COMMENT ON COLUMN outpatient.patient.settlement_category_id IS '费别';
COMMENT ON COLUMN outpatient.patient.insurance_no IS '医保号';
COMMENT ON COLUMN outpatient.patient.created_at IS '建档时间';
COMMENT ON COLUMN outpatient.patient.updated_at IS '修改时间(触发器维护)';

-- balance = deposited - payments by card. Both may come from two databases at once, so neither has a CHECK (>= 0):
-- the windows refuse to overdraw, and a merge must be able to show an overdraft rather than lose the payment.
CREATE TABLE outpatient.card (
    card_no     text PRIMARY KEY,
    card_type   text NOT NULL CHECK (card_type IN ('hospital', 'insurance', 'electronic')),
    patient_id  bigint NOT NULL REFERENCES outpatient.patient,
    status      smallint NOT NULL DEFAULT 0 CHECK (status IN (0, 1, 2, 3)),
    deposited   base.amount NOT NULL DEFAULT 0,
    balance     base.amount NOT NULL DEFAULT 0,
    issued_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX card_patient_idx ON outpatient.card (patient_id);
COMMENT ON TABLE outpatient.card IS '就诊卡';
COMMENT ON COLUMN outpatient.card.card_no IS '卡号';
COMMENT ON COLUMN outpatient.card.card_type IS '卡类型:hospital 院内卡,insurance 社保卡,electronic 电子健康卡';
COMMENT ON COLUMN outpatient.card.patient_id IS '患者';
COMMENT ON COLUMN outpatient.card.status IS '状态:0 正常,1 挂失,2 冻结,3 注销';
COMMENT ON COLUMN outpatient.card.deposited IS '累计预交金';
COMMENT ON COLUMN outpatient.card.balance IS '余额(计数器:每次刷卡增减)';
COMMENT ON COLUMN outpatient.card.issued_at IS '发卡时间';


-- ---------------------------------------------------------------------------------------------------------------
-- outpatient: schedules, appointments, registrations
-- ---------------------------------------------------------------------------------------------------------------

-- slots_left has no CHECK (>= 0) on purpose: the windows sell with "WHERE slots_left > 0", and two databases that
-- both sold the last slot must come out as an oversold schedule that somebody can see and settle.
CREATE TABLE outpatient.schedule (
    id             integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    work_date      date NOT NULL,
    session        text NOT NULL CHECK (session IN ('am', 'pm', 'night')),
    department_id  integer NOT NULL REFERENCES base.department,
    doctor_id      integer NOT NULL REFERENCES base.staff,
    level_id       integer NOT NULL REFERENCES base.registration_level,
    slot_limit     integer NOT NULL CHECK (slot_limit >= 0),
    slots_left     integer NOT NULL,
    current_no     integer NOT NULL DEFAULT 0 CHECK (current_no >= 0),
    status         smallint NOT NULL DEFAULT 0 CHECK (status IN (0, 1)),
    UNIQUE (work_date, session, doctor_id)
);
COMMENT ON TABLE outpatient.schedule IS '排班(号源)';
COMMENT ON COLUMN outpatient.schedule.id IS '排班编号';
COMMENT ON COLUMN outpatient.schedule.work_date IS '出诊日期';
COMMENT ON COLUMN outpatient.schedule.session IS '班次:am 上午,pm 下午,night 夜间';
COMMENT ON COLUMN outpatient.schedule.department_id IS '科室';
COMMENT ON COLUMN outpatient.schedule.doctor_id IS '医生';
COMMENT ON COLUMN outpatient.schedule.level_id IS '号别';
COMMENT ON COLUMN outpatient.schedule.slot_limit IS '限号数';
COMMENT ON COLUMN outpatient.schedule.slots_left IS '剩余号数(计数器);为负即超挂';
COMMENT ON COLUMN outpatient.schedule.current_no IS '当前就诊序号(只增不减)';
COMMENT ON COLUMN outpatient.schedule.status IS '状态:0 出诊,1 停诊';

-- Booking takes the slot; taking the number later (取号) takes no second one.
CREATE TABLE outpatient.appointment (
    id           bigserial PRIMARY KEY,
    patient_id   bigint NOT NULL REFERENCES outpatient.patient,
    schedule_id  integer NOT NULL REFERENCES outpatient.schedule,
    slot_from    time NOT NULL,
    slot_to      time NOT NULL,
    channel      text NOT NULL CHECK (channel IN ('window', 'phone', 'wechat', 'platform')),
    status       smallint NOT NULL DEFAULT 0 CHECK (status IN (0, 1, 2, 3)),
    booked_at    timestamptz NOT NULL DEFAULT now(),
    CHECK (slot_from < slot_to)
);
CREATE INDEX appointment_open_idx ON outpatient.appointment (id) WHERE status = 0;
CREATE INDEX appointment_schedule_idx ON outpatient.appointment (schedule_id);
CREATE INDEX appointment_patient_idx ON outpatient.appointment (patient_id);
COMMENT ON TABLE outpatient.appointment IS '预约(分时段)';
COMMENT ON COLUMN outpatient.appointment.id IS '预约编号';
COMMENT ON COLUMN outpatient.appointment.patient_id IS '患者';
COMMENT ON COLUMN outpatient.appointment.schedule_id IS '排班';
COMMENT ON COLUMN outpatient.appointment.slot_from IS '时段起';
COMMENT ON COLUMN outpatient.appointment.slot_to IS '时段止';
COMMENT ON COLUMN outpatient.appointment.channel IS '预约渠道:window 窗口,phone 电话,wechat 微信,platform 平台';
COMMENT ON COLUMN outpatient.appointment.status IS '状态:0 已预约,1 已取号,2 已取消,3 爽约';
COMMENT ON COLUMN outpatient.appointment.booked_at IS '预约时间';

CREATE TABLE outpatient.shift_close (
    id             bigserial PRIMARY KEY,
    cashier_id     integer NOT NULL REFERENCES base.staff,
    period_from    timestamp NOT NULL,
    period_to      timestamp NOT NULL,
    receipt_first  bigint,
    receipt_last   bigint,
    charge_count   integer NOT NULL,
    refund_count   integer NOT NULL,
    void_count     integer NOT NULL,
    paid_total     base.amount NOT NULL,
    refund_total   base.amount NOT NULL CHECK (refund_total <= 0),
    closed_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (period_from <= period_to)
);
CREATE INDEX shift_close_cashier_idx ON outpatient.shift_close (cashier_id, period_to);
COMMENT ON TABLE outpatient.shift_close IS '收费员日结';
COMMENT ON COLUMN outpatient.shift_close.id IS '结账编号';
COMMENT ON COLUMN outpatient.shift_close.cashier_id IS '收费员';
COMMENT ON COLUMN outpatient.shift_close.period_from IS '起始时间(本地时间)';
COMMENT ON COLUMN outpatient.shift_close.period_to IS '截止时间(本地时间)';
COMMENT ON COLUMN outpatient.shift_close.receipt_first IS '起始收据号';
COMMENT ON COLUMN outpatient.shift_close.receipt_last IS '截止收据号';
COMMENT ON COLUMN outpatient.shift_close.charge_count IS '收费笔数';
COMMENT ON COLUMN outpatient.shift_close.refund_count IS '退费笔数';
COMMENT ON COLUMN outpatient.shift_close.void_count IS '作废票据张数';
COMMENT ON COLUMN outpatient.shift_close.paid_total IS '实收合计(含退费)';
COMMENT ON COLUMN outpatient.shift_close.refund_total IS '其中退费合计(负数)';
COMMENT ON COLUMN outpatient.shift_close.closed_at IS '结账时间';

CREATE TABLE outpatient.shift_close_line (
    close_id  bigint NOT NULL REFERENCES outpatient.shift_close,
    kind      text NOT NULL CHECK (kind IN ('pay', 'fee')),
    code      text NOT NULL,
    count     integer NOT NULL,
    amount    base.amount NOT NULL,
    PRIMARY KEY (close_id, kind, code)
);
COMMENT ON TABLE outpatient.shift_close_line IS '日结明细';
COMMENT ON COLUMN outpatient.shift_close_line.close_id IS '结账编号';
COMMENT ON COLUMN outpatient.shift_close_line.kind IS '口径:pay 按支付方式,fee 按费用类别';
COMMENT ON COLUMN outpatient.shift_close_line.code IS '支付方式代码或费用类别';
COMMENT ON COLUMN outpatient.shift_close_line.count IS '笔数';
COMMENT ON COLUMN outpatient.shift_close_line.amount IS '金额';

CREATE TABLE outpatient.registration (
    id                      bigserial PRIMARY KEY,
    registration_no         text NOT NULL UNIQUE,
    visit_date              date NOT NULL,
    visit_seq               integer NOT NULL CHECK (visit_seq > 0),
    schedule_id             integer NOT NULL REFERENCES outpatient.schedule,
    department_id           integer NOT NULL REFERENCES base.department,
    doctor_id               integer NOT NULL REFERENCES base.staff,
    level_id                integer NOT NULL REFERENCES base.registration_level,
    patient_id              bigint NOT NULL REFERENCES outpatient.patient,
    patient_name            text NOT NULL,
    patient_sex             char(1) NOT NULL,
    patient_age             text NOT NULL,
    settlement_category_id  integer NOT NULL REFERENCES base.settlement_category,
    appointment_id          bigint REFERENCES outpatient.appointment,
    registration_fee        base.amount NOT NULL,
    consultation_fee        base.amount NOT NULL,
    fee_total               base.amount GENERATED ALWAYS AS (registration_fee + consultation_fee) STORED,
    status                  smallint NOT NULL DEFAULT 0 CHECK (status IN (0, 1, 2)),
    operator_id             integer NOT NULL REFERENCES base.staff,
    window_no               text,
    registered_at           timestamptz NOT NULL DEFAULT now(),
    close_id                bigint REFERENCES outpatient.shift_close,
    emergency_event         text,
    updated_at              timestamptz NOT NULL DEFAULT now(),
    UNIQUE (schedule_id, visit_seq)
);
CREATE INDEX registration_patient_idx ON outpatient.registration (patient_id, visit_date);
CREATE INDEX registration_visit_date_idx ON outpatient.registration (visit_date, department_id);
CREATE INDEX registration_open_close_idx ON outpatient.registration (operator_id) WHERE close_id IS NULL;
COMMENT ON TABLE outpatient.registration IS '挂号';
COMMENT ON COLUMN outpatient.registration.id IS '挂号编号';
COMMENT ON COLUMN outpatient.registration.registration_no IS '挂号单号(触发器生成)';
COMMENT ON COLUMN outpatient.registration.visit_date IS '就诊日期';
COMMENT ON COLUMN outpatient.registration.visit_seq IS '就诊序号';
COMMENT ON COLUMN outpatient.registration.schedule_id IS '排班';
COMMENT ON COLUMN outpatient.registration.department_id IS '挂号科室';
COMMENT ON COLUMN outpatient.registration.doctor_id IS '医生';
COMMENT ON COLUMN outpatient.registration.level_id IS '号别';
COMMENT ON COLUMN outpatient.registration.patient_id IS '患者';
COMMENT ON COLUMN outpatient.registration.patient_name IS '挂号时姓名';
COMMENT ON COLUMN outpatient.registration.patient_sex IS '挂号时性别';
COMMENT ON COLUMN outpatient.registration.patient_age IS '挂号时年龄';
COMMENT ON COLUMN outpatient.registration.settlement_category_id IS '费别';
COMMENT ON COLUMN outpatient.registration.appointment_id IS '对应预约(取号时)';
COMMENT ON COLUMN outpatient.registration.registration_fee IS '挂号费';
COMMENT ON COLUMN outpatient.registration.consultation_fee IS '诊查费';
COMMENT ON COLUMN outpatient.registration.fee_total IS '挂号诊查费合计(生成列)';
COMMENT ON COLUMN outpatient.registration.status IS '状态:0 待就诊,1 已就诊,2 已退号';
COMMENT ON COLUMN outpatient.registration.operator_id IS '挂号员';
COMMENT ON COLUMN outpatient.registration.window_no IS '窗口号';
COMMENT ON COLUMN outpatient.registration.registered_at IS '挂号时间';
COMMENT ON COLUMN outpatient.registration.close_id IS '结账编号(日结时写入)';
COMMENT ON COLUMN outpatient.registration.emergency_event IS '应急事件号(数据回传时写入,平时为空)';
COMMENT ON COLUMN outpatient.registration.updated_at IS '修改时间(触发器维护)';


-- ---------------------------------------------------------------------------------------------------------------
-- outpatient: doctors' orders and drug stock
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE outpatient.doctor_order (
    id               bigserial PRIMARY KEY,
    registration_id  bigint NOT NULL REFERENCES outpatient.registration,
    patient_id       bigint NOT NULL REFERENCES outpatient.patient,
    kind             outpatient.order_kind NOT NULL,
    doctor_id        integer NOT NULL REFERENCES base.staff,
    department_id    integer NOT NULL REFERENCES base.department,
    diagnosis        text,
    charge_status    smallint NOT NULL DEFAULT 0 CHECK (charge_status IN (0, 1, 2)),
    exec_status      smallint NOT NULL DEFAULT 0 CHECK (exec_status IN (0, 1)),
    ordered_at       timestamp NOT NULL DEFAULT LOCALTIMESTAMP
);
CREATE INDEX doctor_order_registration_idx ON outpatient.doctor_order (registration_id);
CREATE INDEX doctor_order_patient_idx ON outpatient.doctor_order (patient_id);
CREATE INDEX doctor_order_unpaid_idx ON outpatient.doctor_order (id) WHERE charge_status = 0;
COMMENT ON TABLE outpatient.doctor_order IS '医嘱(处方、检验申请、检查申请、治疗)';
COMMENT ON COLUMN outpatient.doctor_order.id IS '医嘱编号';
COMMENT ON COLUMN outpatient.doctor_order.registration_id IS '挂号';
COMMENT ON COLUMN outpatient.doctor_order.patient_id IS '患者';
COMMENT ON COLUMN outpatient.doctor_order.kind IS '类别';
COMMENT ON COLUMN outpatient.doctor_order.doctor_id IS '开单医生';
COMMENT ON COLUMN outpatient.doctor_order.department_id IS '开单科室';
COMMENT ON COLUMN outpatient.doctor_order.diagnosis IS '诊断';
COMMENT ON COLUMN outpatient.doctor_order.charge_status IS '收费状态:0 未收费,1 已收费,2 已退费';
COMMENT ON COLUMN outpatient.doctor_order.exec_status IS '执行状态:0 未执行,1 已执行(已发药)';
COMMENT ON COLUMN outpatient.doctor_order.ordered_at IS '开单时间(本地时间)';

CREATE TABLE outpatient.order_line (
    order_id       bigint NOT NULL REFERENCES outpatient.doctor_order,
    line_no        integer NOT NULL CHECK (line_no > 0),
    item_id        integer NOT NULL REFERENCES base.charge_item,
    quantity       numeric(12,3) NOT NULL CHECK (quantity > 0),
    usage          text,
    charge_status  smallint NOT NULL DEFAULT 0 CHECK (charge_status IN (0, 1, 2)),
    exec_status    smallint NOT NULL DEFAULT 0 CHECK (exec_status IN (0, 1)),
    executed_at    timestamptz,
    PRIMARY KEY (order_id, line_no)
);
COMMENT ON TABLE outpatient.order_line IS '医嘱明细';
COMMENT ON COLUMN outpatient.order_line.order_id IS '医嘱';
COMMENT ON COLUMN outpatient.order_line.line_no IS '行号';
COMMENT ON COLUMN outpatient.order_line.item_id IS '收费项目';
COMMENT ON COLUMN outpatient.order_line.quantity IS '数量';
COMMENT ON COLUMN outpatient.order_line.usage IS '用法';
COMMENT ON COLUMN outpatient.order_line.charge_status IS '收费状态:0 未收费,1 已收费,2 已退费';
COMMENT ON COLUMN outpatient.order_line.exec_status IS '执行状态:0 未执行,1 已执行(已发药)';
COMMENT ON COLUMN outpatient.order_line.executed_at IS '执行(发药)时间';

-- stock = received + the sum of its movements. No CHECK (>= 0): the pharmacy hands out what lies on the shelf.
CREATE TABLE outpatient.drug_batch (
    drug_id     integer NOT NULL REFERENCES base.drug,
    batch_no    text NOT NULL,
    expires_on  date NOT NULL,
    received    numeric(14,3) NOT NULL CHECK (received >= 0),
    stock       numeric(14,3) NOT NULL,
    PRIMARY KEY (drug_id, batch_no)
);
COMMENT ON TABLE outpatient.drug_batch IS '药房库存(按批号)';
COMMENT ON COLUMN outpatient.drug_batch.drug_id IS '药品';
COMMENT ON COLUMN outpatient.drug_batch.batch_no IS '批号';
COMMENT ON COLUMN outpatient.drug_batch.expires_on IS '有效期至';
COMMENT ON COLUMN outpatient.drug_batch.received IS '入库数量';
COMMENT ON COLUMN outpatient.drug_batch.stock IS '库存(计数器:收费时预扣,退费时返还)';

CREATE TABLE outpatient.drug_movement (
    id        bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    drug_id   integer NOT NULL,
    batch_no  text NOT NULL,
    order_id  bigint NOT NULL,
    line_no   integer NOT NULL,
    quantity  numeric(14,3) NOT NULL CHECK (quantity <> 0),
    moved_at  timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (drug_id, batch_no) REFERENCES outpatient.drug_batch,
    FOREIGN KEY (order_id, line_no) REFERENCES outpatient.order_line
);
CREATE INDEX drug_movement_order_idx ON outpatient.drug_movement (order_id, line_no);
CREATE INDEX drug_movement_batch_idx ON outpatient.drug_movement (drug_id, batch_no);
COMMENT ON TABLE outpatient.drug_movement IS '药品出入流水(触发器写入)';
COMMENT ON COLUMN outpatient.drug_movement.id IS '流水号';
COMMENT ON COLUMN outpatient.drug_movement.drug_id IS '药品';
COMMENT ON COLUMN outpatient.drug_movement.batch_no IS '批号';
COMMENT ON COLUMN outpatient.drug_movement.order_id IS '医嘱';
COMMENT ON COLUMN outpatient.drug_movement.line_no IS '医嘱行号';
COMMENT ON COLUMN outpatient.drug_movement.quantity IS '数量:负为出库,正为返还';
COMMENT ON COLUMN outpatient.drug_movement.moved_at IS '时间';


-- ---------------------------------------------------------------------------------------------------------------
-- outpatient: money
-- ---------------------------------------------------------------------------------------------------------------

-- Official receipt numbers are consecutive and never repeated, so they come from a locked row and not from a
-- sequence, which loses a number with every rollback. The lock lasts to the commit: take the number last.
CREATE TABLE outpatient.receipt_counter (
    id       smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    last_no  bigint NOT NULL CHECK (last_no >= 0)
);
INSERT INTO outpatient.receipt_counter VALUES (1, 0);
COMMENT ON TABLE outpatient.receipt_counter IS '收据号计数(仅一行)';
COMMENT ON COLUMN outpatient.receipt_counter.id IS '固定为 1';
COMMENT ON COLUMN outpatient.receipt_counter.last_no IS '最后发出的收据号';

-- A refund is a second charge with negative amounts and refund_of (status 2); the original becomes status 1.
-- Amounts are never edited and charges never deleted. That an original is refunded once is kept by the row lock
-- that window_refund() takes on it; there is no unique index on refund_of, so the profile says `once`.
CREATE TABLE outpatient.charge (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    receipt_no              bigint NOT NULL UNIQUE,
    kind                    outpatient.charge_kind NOT NULL,
    registration_id         bigint NOT NULL REFERENCES outpatient.registration,
    patient_id              bigint NOT NULL REFERENCES outpatient.patient,
    order_id                bigint REFERENCES outpatient.doctor_order,
    settlement_category_id  integer NOT NULL REFERENCES base.settlement_category,
    total                   base.amount NOT NULL,
    discount                base.amount NOT NULL DEFAULT 0,
    rounding                base.amount NOT NULL DEFAULT 0,
    paid                    base.amount NOT NULL,
    insurance_paid          base.amount NOT NULL DEFAULT 0,
    status                  smallint NOT NULL DEFAULT 0 CHECK (status IN (0, 1, 2)),
    refund_of               bigint REFERENCES outpatient.charge,
    refund_reason           text,
    cashier_id              integer NOT NULL REFERENCES base.staff,
    window_no               text,
    charged_at              timestamptz NOT NULL DEFAULT now(),
    close_id                bigint REFERENCES outpatient.shift_close,
    emergency_event         text,
    CHECK (paid = total - discount + rounding),
    CHECK ((status = 2) = (refund_of IS NOT NULL)),
    CHECK ((status = 2) = (total < 0) OR total = 0),
    CHECK ((kind = 'order') = (order_id IS NOT NULL))
);
CREATE INDEX charge_registration_idx ON outpatient.charge (registration_id);
CREATE INDEX charge_patient_idx ON outpatient.charge (patient_id);
CREATE INDEX charge_order_idx ON outpatient.charge (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX charge_refund_of_idx ON outpatient.charge (refund_of) WHERE refund_of IS NOT NULL;
CREATE INDEX charge_refundable_idx ON outpatient.charge (cashier_id, id) WHERE status = 0;
CREATE INDEX charge_open_close_idx ON outpatient.charge (cashier_id) WHERE close_id IS NULL;
CREATE INDEX charge_charged_at_idx ON outpatient.charge (charged_at);
COMMENT ON TABLE outpatient.charge IS '收费单';
COMMENT ON COLUMN outpatient.charge.id IS '收费单编号';
COMMENT ON COLUMN outpatient.charge.receipt_no IS '收据号(机打号,连续不重)';
COMMENT ON COLUMN outpatient.charge.kind IS '类别:registration 挂号,order 医嘱';
COMMENT ON COLUMN outpatient.charge.registration_id IS '挂号';
COMMENT ON COLUMN outpatient.charge.patient_id IS '患者';
COMMENT ON COLUMN outpatient.charge.order_id IS '医嘱';
COMMENT ON COLUMN outpatient.charge.settlement_category_id IS '费别';
COMMENT ON COLUMN outpatient.charge.total IS '应收(等于明细合计)';
COMMENT ON COLUMN outpatient.charge.discount IS '优惠';
COMMENT ON COLUMN outpatient.charge.rounding IS '舍入';
COMMENT ON COLUMN outpatient.charge.paid IS '实收(等于支付合计) = 应收 - 优惠 + 舍入';
COMMENT ON COLUMN outpatient.charge.insurance_paid IS '其中医保支付';
COMMENT ON COLUMN outpatient.charge.status IS '状态:0 正常,1 已被冲销,2 冲销单(红冲)';
COMMENT ON COLUMN outpatient.charge.refund_of IS '被冲销的原收费单';
COMMENT ON COLUMN outpatient.charge.refund_reason IS '退费原因';
COMMENT ON COLUMN outpatient.charge.cashier_id IS '收费员';
COMMENT ON COLUMN outpatient.charge.window_no IS '窗口号';
COMMENT ON COLUMN outpatient.charge.charged_at IS '收费时间';
COMMENT ON COLUMN outpatient.charge.close_id IS '结账编号(日结时写入)';
COMMENT ON COLUMN outpatient.charge.emergency_event IS '应急事件号(数据回传时写入,平时为空)';

-- The item as it was when charged: a later change of name or price does not reach it.
CREATE TABLE outpatient.charge_line (
    charge_id            bigint NOT NULL REFERENCES outpatient.charge,
    line_no              integer NOT NULL CHECK (line_no > 0),
    item_id              integer NOT NULL REFERENCES base.charge_item,
    item_name            text NOT NULL,
    spec                 text,
    unit                 text NOT NULL,
    price                base.price NOT NULL,
    quantity             numeric(12,3) NOT NULL CHECK (quantity <> 0),
    amount               base.amount GENERATED ALWAYS AS (round(price * quantity, 2)) STORED,
    receipt_class        text NOT NULL,
    reimbursement_class  char(1) NOT NULL,
    order_id             bigint,
    order_line_no        integer,
    ordering_dept_id     integer NOT NULL REFERENCES base.department,
    executing_dept_id    integer NOT NULL REFERENCES base.department,
    PRIMARY KEY (charge_id, line_no),
    FOREIGN KEY (order_id, order_line_no) REFERENCES outpatient.order_line (order_id, line_no)
);
CREATE INDEX charge_line_order_idx ON outpatient.charge_line (order_id, order_line_no) WHERE order_id IS NOT NULL;
COMMENT ON TABLE outpatient.charge_line IS '收费明细';
COMMENT ON COLUMN outpatient.charge_line.charge_id IS '收费单';
COMMENT ON COLUMN outpatient.charge_line.line_no IS '行号';
COMMENT ON COLUMN outpatient.charge_line.item_id IS '收费项目';
COMMENT ON COLUMN outpatient.charge_line.item_name IS '收费时项目名称';
COMMENT ON COLUMN outpatient.charge_line.spec IS '收费时规格';
COMMENT ON COLUMN outpatient.charge_line.unit IS '收费时单位';
COMMENT ON COLUMN outpatient.charge_line.price IS '收费时单价';
COMMENT ON COLUMN outpatient.charge_line.quantity IS '数量(红冲为负)';
COMMENT ON COLUMN outpatient.charge_line.amount IS '金额(生成列,单价乘数量,保留两位)';
COMMENT ON COLUMN outpatient.charge_line.receipt_class IS '票据费用类别';
COMMENT ON COLUMN outpatient.charge_line.reimbursement_class IS '医保类别';
COMMENT ON COLUMN outpatient.charge_line.order_id IS '医嘱';
COMMENT ON COLUMN outpatient.charge_line.order_line_no IS '医嘱行号';
COMMENT ON COLUMN outpatient.charge_line.ordering_dept_id IS '开单科室';
COMMENT ON COLUMN outpatient.charge_line.executing_dept_id IS '执行科室';

CREATE TABLE outpatient.payment (
    charge_id   bigint NOT NULL REFERENCES outpatient.charge,
    seq         integer NOT NULL CHECK (seq > 0),
    pay_method  text NOT NULL REFERENCES base.pay_method,
    amount      base.amount NOT NULL,
    card_no     text REFERENCES outpatient.card,
    trade_no    text,
    paid_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (charge_id, seq),
    CHECK ((pay_method = 'CARD') = (card_no IS NOT NULL))
);
CREATE INDEX payment_card_idx ON outpatient.payment (card_no) WHERE card_no IS NOT NULL;
COMMENT ON TABLE outpatient.payment IS '支付(一张收费单可多笔)';
COMMENT ON COLUMN outpatient.payment.charge_id IS '收费单';
COMMENT ON COLUMN outpatient.payment.seq IS '序号';
COMMENT ON COLUMN outpatient.payment.pay_method IS '支付方式';
COMMENT ON COLUMN outpatient.payment.amount IS '金额(退费为负)';
COMMENT ON COLUMN outpatient.payment.card_no IS '就诊卡(刷卡时)';
COMMENT ON COLUMN outpatient.payment.trade_no IS '第三方交易号';
COMMENT ON COLUMN outpatient.payment.paid_at IS '支付时间';

CREATE TABLE outpatient.receipt_segment (
    id          integer PRIMARY KEY,
    cashier_id  integer NOT NULL REFERENCES base.staff,
    prefix      text NOT NULL,
    start_no    bigint NOT NULL,
    end_no      bigint NOT NULL,
    current_no  bigint NOT NULL,
    status      smallint NOT NULL DEFAULT 0 CHECK (status IN (0, 1, 2)),
    issued_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (prefix, start_no),
    CHECK (start_no <= end_no),
    CHECK (current_no BETWEEN start_no - 1 AND end_no)
);
CREATE UNIQUE INDEX receipt_segment_in_use_key ON outpatient.receipt_segment (cashier_id) WHERE status = 0;
COMMENT ON TABLE outpatient.receipt_segment IS '票据领用段';
COMMENT ON COLUMN outpatient.receipt_segment.id IS '领用编号';
COMMENT ON COLUMN outpatient.receipt_segment.cashier_id IS '领用人';
COMMENT ON COLUMN outpatient.receipt_segment.prefix IS '字轨';
COMMENT ON COLUMN outpatient.receipt_segment.start_no IS '起号';
COMMENT ON COLUMN outpatient.receipt_segment.end_no IS '止号';
COMMENT ON COLUMN outpatient.receipt_segment.current_no IS '当前已用号(只增不减)';
COMMENT ON COLUMN outpatient.receipt_segment.status IS '状态:0 在用,1 用完,2 收回';
COMMENT ON COLUMN outpatient.receipt_segment.issued_at IS '领用时间';

CREATE TABLE outpatient.receipt (
    segment_id  integer NOT NULL REFERENCES outpatient.receipt_segment,
    printed_no  bigint NOT NULL,
    charge_id   bigint NOT NULL REFERENCES outpatient.charge,
    status      smallint NOT NULL DEFAULT 0 CHECK (status IN (0, 1)),
    reprints    integer NOT NULL DEFAULT 0 CHECK (reprints >= 0),
    printed_at  timestamptz NOT NULL DEFAULT now(),
    voided_at   timestamptz,
    PRIMARY KEY (segment_id, printed_no),
    CHECK ((status = 1) = (voided_at IS NOT NULL))
);
CREATE INDEX receipt_charge_idx ON outpatient.receipt (charge_id);
COMMENT ON TABLE outpatient.receipt IS '票据(印刷号)';
COMMENT ON COLUMN outpatient.receipt.segment_id IS '领用段';
COMMENT ON COLUMN outpatient.receipt.printed_no IS '印刷号';
COMMENT ON COLUMN outpatient.receipt.charge_id IS '收费单';
COMMENT ON COLUMN outpatient.receipt.status IS '状态:0 正常,1 作废';
COMMENT ON COLUMN outpatient.receipt.reprints IS '重打次数';
COMMENT ON COLUMN outpatient.receipt.printed_at IS '打印时间';
COMMENT ON COLUMN outpatient.receipt.voided_at IS '作废时间';

-- Which columns changed, never what was in them: the log is read by more people than the patients' data.
CREATE TABLE outpatient.audit_log (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name       text NOT NULL,
    row_key          text NOT NULL,
    action           char(1) NOT NULL CHECK (action IN ('I', 'U', 'D')),
    changed_columns  text[],
    changed_by       name NOT NULL DEFAULT session_user,
    client_addr      inet DEFAULT inet_client_addr(),
    changed_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX audit_log_row_idx ON outpatient.audit_log (table_name, row_key);
COMMENT ON TABLE outpatient.audit_log IS '操作痕迹(触发器写入)';
COMMENT ON COLUMN outpatient.audit_log.id IS '序号';
COMMENT ON COLUMN outpatient.audit_log.table_name IS '表';
COMMENT ON COLUMN outpatient.audit_log.row_key IS '主键值';
COMMENT ON COLUMN outpatient.audit_log.action IS '操作:I 新增,U 修改,D 删除';
COMMENT ON COLUMN outpatient.audit_log.changed_columns IS '修改的列(只记列名)';
COMMENT ON COLUMN outpatient.audit_log.changed_by IS '数据库用户';
COMMENT ON COLUMN outpatient.audit_log.client_addr IS '客户端地址';
COMMENT ON COLUMN outpatient.audit_log.changed_at IS '时间';


-- ---------------------------------------------------------------------------------------------------------------
-- Functions
-- ---------------------------------------------------------------------------------------------------------------

-- The day the windows work on: the newest day that has a schedule. With generated data that is the generated day,
-- whatever the clock says; a hospital that enters its schedules ahead would say current_date here.
CREATE FUNCTION outpatient.today() RETURNS date
LANGUAGE sql STABLE SET search_path = ''
AS $$ SELECT coalesce(max(work_date), current_date) FROM outpatient.schedule $$;
COMMENT ON FUNCTION outpatient.today() IS '业务日期';

CREATE FUNCTION base.price_on(item integer, day date) RETURNS base.price
LANGUAGE sql STABLE SET search_path = ''
AS $$ SELECT price FROM base.charge_price WHERE item_id = item AND valid_from <= day AND day < valid_to $$;
COMMENT ON FUNCTION base.price_on(integer, date) IS '某日单价';

CREATE FUNCTION outpatient.next_receipt_no() RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = ''
AS $$ UPDATE outpatient.receipt_counter SET last_no = last_no + 1 WHERE id = 1 RETURNING last_no $$;
COMMENT ON FUNCTION outpatient.next_receipt_no() IS '取下一个收据号(连续不重;锁持续到提交)';


-- ---------------------------------------------------------------------------------------------------------------
-- Triggers
-- ---------------------------------------------------------------------------------------------------------------

CREATE FUNCTION outpatient.touch_updated_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = ''
AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END $$;
COMMENT ON FUNCTION outpatient.touch_updated_at() IS '维护修改时间';

CREATE TRIGGER patient_updated_at BEFORE UPDATE ON outpatient.patient
  FOR EACH ROW EXECUTE FUNCTION outpatient.touch_updated_at();
CREATE TRIGGER registration_updated_at BEFORE UPDATE ON outpatient.registration
  FOR EACH ROW EXECUTE FUNCTION outpatient.touch_updated_at();

-- Numbers that people read are made of the id, so they are as unique as the id is. A number that is given is kept.
CREATE FUNCTION outpatient.fill_medical_record_no() RETURNS trigger
LANGUAGE plpgsql SET search_path = ''
AS $$
BEGIN
  NEW.medical_record_no := coalesce(NEW.medical_record_no, 'M' || lpad(NEW.id::text, greatest(9, length(NEW.id::text)), '0'));
  RETURN NEW;
END $$;
COMMENT ON FUNCTION outpatient.fill_medical_record_no() IS '生成门诊号';

CREATE TRIGGER patient_fill BEFORE INSERT ON outpatient.patient
  FOR EACH ROW EXECUTE FUNCTION outpatient.fill_medical_record_no();

CREATE FUNCTION outpatient.fill_registration_no() RETURNS trigger
LANGUAGE plpgsql SET search_path = ''
AS $$
BEGIN
  NEW.registration_no := coalesce(NEW.registration_no,
    'G' || to_char(NEW.visit_date, 'YYMMDD') || lpad(NEW.id::text, greatest(9, length(NEW.id::text)), '0'));
  RETURN NEW;
END $$;
COMMENT ON FUNCTION outpatient.fill_registration_no() IS '生成挂号单号';

CREATE TRIGGER registration_fill BEFORE INSERT ON outpatient.registration
  FOR EACH ROW EXECUTE FUNCTION outpatient.fill_registration_no();

-- The key column is the trigger's argument.
CREATE FUNCTION outpatient.write_audit() RETURNS trigger
LANGUAGE plpgsql SET search_path = ''
AS $$
DECLARE
  columns text[];
BEGIN
  IF TG_OP = 'UPDATE' THEN
    SELECT array_agg(n.key ORDER BY n.key) INTO columns
      FROM jsonb_each(to_jsonb(NEW)) AS n
      JOIN jsonb_each(to_jsonb(OLD)) AS o USING (key)
     WHERE n.value <> o.value AND n.key <> 'updated_at';
    IF columns IS NULL THEN
      RETURN NULL;
    END IF;
  END IF;
  INSERT INTO outpatient.audit_log (table_name, row_key, action, changed_columns)
  VALUES (TG_TABLE_NAME,
          (CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END) ->> TG_ARGV[0],
          left(TG_OP, 1),
          columns);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION outpatient.write_audit() IS '写操作痕迹';

CREATE TRIGGER patient_audit AFTER INSERT OR UPDATE OR DELETE ON outpatient.patient
  FOR EACH ROW EXECUTE FUNCTION outpatient.write_audit('id');
CREATE TRIGGER card_audit AFTER UPDATE OF status OR DELETE ON outpatient.card
  FOR EACH ROW EXECUTE FUNCTION outpatient.write_audit('card_no');
CREATE TRIGGER registration_audit AFTER UPDATE OR DELETE ON outpatient.registration
  FOR EACH ROW EXECUTE FUNCTION outpatient.write_audit('id');
CREATE TRIGGER charge_audit AFTER UPDATE OR DELETE ON outpatient.charge
  FOR EACH ROW EXECUTE FUNCTION outpatient.write_audit('id');

-- Charging a drug takes it from stock, first expiry first; refunding it before it was dispensed puts it back into
-- the batches it came from. A shortage is booked on the last batch and shows as a negative stock.
CREATE FUNCTION outpatient.move_drug_stock() RETURNS trigger
LANGUAGE plpgsql SET search_path = ''
AS $$
DECLARE
  batch record;
  needed numeric := NEW.quantity;
  taken numeric;
BEGIN
  IF NOT EXISTS (SELECT FROM base.drug WHERE item_id = NEW.item_id) THEN
    RETURN NULL;
  END IF;

  IF OLD.charge_status = 0 AND NEW.charge_status = 1 THEN
    FOR batch IN
      SELECT b.batch_no, b.stock, lead(b.batch_no) OVER w IS NULL AS is_last
        FROM (SELECT * FROM outpatient.drug_batch
               WHERE drug_id = NEW.item_id
               ORDER BY expires_on, batch_no FOR UPDATE) AS b
      WINDOW w AS (ORDER BY b.expires_on, b.batch_no)
       ORDER BY b.expires_on, b.batch_no
    LOOP
      taken := CASE WHEN batch.is_last THEN needed ELSE least(needed, greatest(batch.stock, 0)) END;
      IF taken > 0 THEN
        UPDATE outpatient.drug_batch SET stock = stock - taken
         WHERE drug_id = NEW.item_id AND batch_no = batch.batch_no;
        INSERT INTO outpatient.drug_movement (drug_id, batch_no, order_id, line_no, quantity)
        VALUES (NEW.item_id, batch.batch_no, NEW.order_id, NEW.line_no, -taken);
        needed := needed - taken;
      END IF;
      EXIT WHEN needed = 0;
    END LOOP;
    IF needed > 0 THEN
      RAISE EXCEPTION 'drug % has no batch', NEW.item_id USING ERRCODE = 'no_data_found';
    END IF;

  ELSIF OLD.charge_status = 1 AND NEW.charge_status = 2 THEN
    FOR batch IN
      SELECT m.batch_no, -sum(m.quantity) AS quantity
        FROM outpatient.drug_movement AS m
       WHERE m.order_id = NEW.order_id AND m.line_no = NEW.line_no
       GROUP BY m.batch_no HAVING sum(m.quantity) <> 0
       ORDER BY m.batch_no
    LOOP
      UPDATE outpatient.drug_batch SET stock = stock + batch.quantity
       WHERE drug_id = NEW.item_id AND batch_no = batch.batch_no;
      INSERT INTO outpatient.drug_movement (drug_id, batch_no, order_id, line_no, quantity)
      VALUES (NEW.item_id, batch.batch_no, NEW.order_id, NEW.line_no, batch.quantity);
    END LOOP;
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION outpatient.move_drug_stock() IS '收费扣库存,退费还库存';

CREATE TRIGGER order_line_stock AFTER UPDATE OF charge_status ON outpatient.order_line
  FOR EACH ROW WHEN (OLD.charge_status IS DISTINCT FROM NEW.charge_status)
  EXECUTE FUNCTION outpatient.move_drug_stock();


-- ---------------------------------------------------------------------------------------------------------------
-- Views
-- ---------------------------------------------------------------------------------------------------------------

CREATE VIEW outpatient.today_registration AS
SELECT r.id, r.registration_no, r.visit_seq, s.session, d.name AS department, t.name AS doctor, l.name AS level,
       r.patient_name, r.patient_sex, r.patient_age, r.fee_total, r.status, r.registered_at
  FROM outpatient.registration AS r
  JOIN outpatient.schedule AS s ON s.id = r.schedule_id
  JOIN base.department AS d ON d.id = r.department_id
  JOIN base.staff AS t ON t.id = r.doctor_id
  JOIN base.registration_level AS l ON l.id = r.level_id
 WHERE r.visit_date = outpatient.today();
COMMENT ON VIEW outpatient.today_registration IS '当日挂号';

CREATE MATERIALIZED VIEW outpatient.item_usage AS
SELECT item_id, count(*) AS lines, sum(quantity) AS quantity, sum(amount) AS amount
  FROM outpatient.charge_line
 GROUP BY item_id;
CREATE UNIQUE INDEX item_usage_key ON outpatient.item_usage (item_id);
COMMENT ON MATERIALIZED VIEW outpatient.item_usage IS '收费项目使用统计(夜间刷新)';

\ir window/functions.sql
\ir desk/desk.sql

COMMIT;

-- A small HIS that is awkward on purpose; what a window's default session prints here is far from what is stored.
ALTER DATABASE his SET timezone = 'Asia/Shanghai';
ALTER DATABASE his SET search_path = outpatient, "Odd Path", public;
ALTER DATABASE his SET DateStyle = 'SQL, DMY';
ALTER DATABASE his SET IntervalStyle = 'iso_8601';
ALTER DATABASE his SET extra_float_digits = -3;
ALTER DATABASE his SET bytea_output = 'escape';
CREATE ROLE cashier LOGIN;
CREATE ROLE tills;
CREATE ROLE hospital;
GRANT tills TO cashier;
GRANT hospital TO tills;
CREATE ROLE his_owner;
CREATE ROLE stranger;
ALTER ROLE cashier IN DATABASE his SET statement_timeout = '5s';

CREATE SCHEMA outpatient AUTHORIZATION his_owner;
CREATE SCHEMA "门诊";
CREATE SCHEMA "Odd Path";
CREATE TYPE outpatient.pay AS ENUM ('现金', 'card');
CREATE DOMAIN outpatient.fee AS numeric(12, 4) CHECK (VALUE > -1000000);

CREATE TABLE outpatient.charge (
  charge_id bigserial PRIMARY KEY,
  total outpatient.fee NOT NULL,
  how outpatient.pay,
  paid_at timestamptz,
  twice numeric GENERATED ALWAYS AS (total * 2) STORED,
  photo bytea);
CREATE TABLE outpatient.line (
  line_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  charge_id bigint NOT NULL REFERENCES outpatient.charge,
  amount numeric(12, 4) NOT NULL);

CREATE TABLE "门诊"."挂号 Reg" (
  "编号" int PRIMARY KEY, "select" text, f float8, r real, d date, iv interval, arr int[], j json, jb jsonb,
  ts timestamp, tz timestamptz, b bytea, rc regclass, m money);
INSERT INTO "门诊"."挂号 Reg" VALUES
  (1, NULL, '-0', 'NaN', 'infinity', '1 mon -3 days 04:05:06.789', '[0:2]={1,NULL,3}', '{"a" : 1, "a":2}', '{"b":1}',
   'infinity', '2026-02-28 23:59:59.999999+00', '\x00ff5c', 'outpatient.charge', '-12.34'),
  (2, '', 'Infinity', 1e-40, '0044-03-15 BC', '-1 year', '{}', 'null', 'null',
   '-infinity', '1900-01-01 00:00:00+00', '', 'pg_class', 0),
  (3, E'多行\n"quoted",\\.\r\n𠮷😀', 0.1, 0.1, '2026-02-28', '0', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, '\.', 1.7976931348623157e308, 16777217, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE public."tblClaim" ("ID" int, day date NOT NULL, v text, PRIMARY KEY ("ID", day)) PARTITION BY RANGE (day);
CREATE TABLE public."tblClaim_1" PARTITION OF public."tblClaim" FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE public."tblClaim_2" (v text, day date NOT NULL, "ID" int NOT NULL);
ALTER TABLE public."tblClaim" ATTACH PARTITION public."tblClaim_2" FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
INSERT INTO public."tblClaim" VALUES (1, '2026-06-30', 'first'), (2, '2026-07-01', 'second');

CREATE TABLE outpatient.parent (id int PRIMARY KEY);
CREATE TABLE outpatient.child () INHERITS (outpatient.parent);
INSERT INTO outpatient.parent VALUES (1);
INSERT INTO outpatient.child VALUES (2);

CREATE FUNCTION "Odd Path".recent(timestamptz) RETURNS boolean LANGUAGE sql STABLE
  AS $$ SELECT $1 > '2026-01-01 00:00:00' $$; -- in the session's time zone
CREATE TABLE outpatient.visit (id int PRIMARY KEY, at timestamptz NOT NULL);
-- In Shanghai the first is of 2026 and the second of 2025; in UTC both are of 2025.
INSERT INTO outpatient.visit VALUES (1, '2025-12-31 16:00:01+00'), (2, '2025-12-31 15:59:59+00');

CREATE SEQUENCE public."Odd Seq" INCREMENT 10 START 5;
GRANT SELECT ON outpatient.charge TO tills;

CREATE SCHEMA his_emergency;
CREATE TABLE his_emergency.event (event text PRIMARY KEY, epoch bigint NOT NULL);
CREATE TABLE his_emergency.merge_run (run bigint PRIMARY KEY);
CREATE SEQUENCE his_emergency.own;
INSERT INTO his_emergency.event VALUES ('01-0002', 2), ('01-0003', 3);
INSERT INTO his_emergency.merge_run VALUES (6), (7);

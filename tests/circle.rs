//! The circle: primary → snapshot → standby → queue → primary, on schemas that nobody made for the toolkit.

use crate::support::workplace::DB;
use crate::support::{Cluster, Kind, Workplace, assert_same_tables, real_his};
use serde_json::json;

/// A day of the chain with traffic on the standby; the primary lives and is fenced.
fn around(
    work: &Workplace,
    standby: &Cluster,
    day: impl FnOnce(&Cluster),
    meanwhile: impl FnOnce(),
    back: i32,
) -> serde_json::Value {
    work.run("his-load-standby", &["init"]).expect(0);
    work.run("his-snapshot", &[]).expect(0);
    work.json(0, "his-load-standby", &[]);
    let opened = work.json(0, "his-switch", &["standby", "--reason", "test"]);
    assert_eq!((&opened["mode"], &opened["event"]), (&json!("standby"), &json!("01-0001")));
    day(standby);
    meanwhile();
    let returned = work.json(back, "his-switch", &["primary"]);
    assert_eq!(returned["mode"], "normal");
    let status = work.json(0, "his-merge", &["status"]);
    assert_eq!((&status["balanced"], &status["closed"]), (&json!(true), &json!(true)));
    status
}

const REAL_BASE: [&str; 12] = [
    "dms_dise",
    "dms_drug",
    "dms_dise_catalog",
    "dms_dosage",
    "dms_non_drug",
    "sms_dept",
    "sms_description",
    "sms_staff",
    "sms_role",
    "sms_registration_rank",
    "sms_skd_rule",
    "sms_skd_rule_item",
];
const REAL_WRITTEN: [(&str, &[&str]); 8] = [
    ("pms_patient", &[]),
    ("dms_registration", &[]),
    ("dms_medicine_prescription_record", &["amount"]),
    ("dms_medicine_item_record", &[]),
    ("dms_non_drug_item_record", &["amount"]),
    ("bms_bills_record", &[]),
    ("bms_invoice_record", &["amount"]),
    ("bms_operator_settle_record", &["amount", "cash_amount", "insurance_amount"]),
];

fn real_profile() -> String {
    let mut toml = String::new();
    for table in REAL_BASE.iter().chain(&["bms_settlement_cat"]) {
        toml += &format!("[[table]]\nname = \"public.{table}\"\n");
    }
    toml += "[[table]]\nname = \"public.sms_skd\"\ncapture = true\ncounter = [\"remain\"]\n";
    for (block, (table, money)) in (1..).zip(REAL_WRITTEN) {
        toml += &format!("[[table]]\nname = \"public.{table}\"\ncapture = true\nmoney = {money:?}\n");
        toml +=
            &format!("[[numbers]]\nsequence = \"public.{table}_id_seq\"\nblock = [{block}00000000, {block}00999999]\n");
    }
    toml
}

/// The same day run directly on a third server, with the same emergency blocks.
fn directly(dir: &std::path::Path) -> Cluster {
    let third = Cluster::start(Kind::Third);
    third.create_database(DB);
    for file in ["load.sql", "add_fk.sql"] {
        third.psql_file(DB, dir.join(file).as_path()).expect(0);
    }
    for (block, (table, _)) in (1..).zip(REAL_WRITTEN) {
        third.execute(DB, &format!("ALTER SEQUENCE {table}_id_seq RESTART {block}00000000"));
    }
    third
}

#[test]
fn p2_exact_the_circle_closes_on_a_real_his_row_for_row() {
    let Some(dir) = real_his() else { return };
    let (primary, standby) = Cluster::pair();
    primary.create_database(DB);
    for file in ["load.sql", "add_fk.sql"] {
        primary.psql_file(DB, dir.join(file).as_path()).expect(0);
    }
    let work = Workplace::new(&primary, &standby, &real_profile());
    let status = around(
        &work,
        &standby,
        |standby| {
            standby.psql_file(DB, dir.join("counter_day.sql").as_path()).expect(0);
        },
        // The primary sold two slots of the same schedule meanwhile.
        || primary.execute(DB, "UPDATE sms_skd SET remain = remain - 2 WHERE id = 1"),
        0,
    );
    assert_eq!(status["units"], json!({"captured": 1, "merged": 1, "held": 0, "rejected": 0}));
    let third = directly(&dir);
    third.psql_file(DB, dir.join("counter_day.sql").as_path()).expect(0);
    assert_same_tables((&primary, DB), (&third, DB), &["public.sms_skd.remain"]);
    let remain = |c: &Cluster| c.value(DB, "SELECT remain FROM sms_skd WHERE id = 1").parse::<i64>().expect("a number");
    assert_eq!(remain(&primary), remain(&third) - 2);
}

/// Every type that has ever come back changed from some tool, and names that want quotes.
const AWKWARD: &str = r#"
CREATE SCHEMA h; CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION pgcrypto SCHEMA ext;
CREATE TYPE h.mood AS ENUM ('sad', 'so so', '开心');
CREATE DOMAIN h.cents AS numeric(14,4) CHECK (VALUE >= -1000000) NOT NULL;
CREATE TYPE h.pair AS (a int, b text);
CREATE TABLE h.every (
  id bigint PRIMARY KEY, t text, v varchar(20), c char(5), q "char", n numeric, p numeric(12,4), f float8, r real, m money, b boolean, i2 smallint,
  by bytea, d date, ti time, tz timetz, ts timestamp, tstz timestamptz, iv interval, u uuid, ip inet, cid cidr, mac macaddr, bit3 bit(3), vb varbit,
  j json, jb jsonb, x xml, arr int[], arr2 text[][], e h.mood, dom h.cents, comp h.pair, rng int4range, mr int8multirange, pt point, tsv tsvector,
  ci ext.citext, o oid, js json[]
);
CREATE TABLE public."tblClaim" ("Order" int PRIMARY KEY, "time" time, "select" text, "门诊号" text, "a""b" int);
CREATE TABLE h.挂号 (编号 int PRIMARY KEY, 姓名 text);
CREATE TABLE h.ident (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, price numeric(10,4), qty int, amount numeric GENERATED ALWAYS AS (price * qty) STORED);
CREATE TABLE h.part (id int, day date, what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE h.part_a PARTITION OF h.part FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE h.part_b (what text, day date NOT NULL, id int NOT NULL);
ALTER TABLE h.part ATTACH PARTITION h.part_b FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE h.hen (id int PRIMARY KEY, egg int);
CREATE TABLE h.egg (id int PRIMARY KEY, hen int REFERENCES h.hen DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE h.hen ADD FOREIGN KEY (egg) REFERENCES h.egg DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE h.tree (id int PRIMARY KEY, parent int REFERENCES h.tree);
CREATE TABLE h.master (code text PRIMARY KEY);
CREATE TABLE h.detail (id int PRIMARY KEY, code text REFERENCES h.master ON UPDATE CASCADE ON DELETE CASCADE);
CREATE VIEW h.v AS SELECT id, t FROM h.every;
CREATE MATERIALIZED VIEW h.mv AS SELECT count(*) AS n FROM h.every;
CREATE FUNCTION h.twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
INSERT INTO h.every (id, t, dom) VALUES (1, 'before', 1), (2, NULL, 2);
INSERT INTO h.every (id, dom, f, r, by, d, tstz, iv, x) VALUES (3, 1, 0.1234567890123456, 0.12345679, '\xfe5c00', '2026-02-03', '2026-11-01 06:30:00+00', '-1 days +02:03:04', 'text <b/>');
INSERT INTO public."tblClaim" VALUES (1, '08:00', 'x', '门诊', 1);
INSERT INTO h.挂号 VALUES (1, '欧阳');
INSERT INTO h.part VALUES (1, '2026-01-05', 'a'), (2, '2026-02-05', 'b'), (3, '2026-01-06', 'c');
INSERT INTO h.tree VALUES (1, NULL), (2, 1);
INSERT INTO h.master VALUES ('A'), ('B');
INSERT INTO h.detail VALUES (1, 'A'), (2, 'B'), (3, 'B');
"#;

const AWKWARD_TABLES: &str = r#"
[[table]]
name = "h.every"
capture = true
money = ["p", "m", "dom"]
[[table]]
name = 'public."tblClaim"'
capture = true
[[table]]
name = "h.挂号"
capture = true
[[table]]
name = "h.ident"
capture = true
money = ["price"]
[[table]]
name = "h.part"
capture = true
[[table]]
name = "h.hen"
capture = true
[[table]]
name = "h.egg"
capture = true
[[table]]
name = "h.tree"
capture = true
[[table]]
name = "h.master"
capture = true
[[table]]
name = "h.detail"
capture = true
[[numbers]]
sequence = "h.ident_id_seq"
block = [900000, 999999]
"#;

/// One day of awkward writes; `client` is what the window's session sets first.
fn awkward_day(cluster: &Cluster, client: &str) {
    let day = r#"
BEGIN;
INSERT INTO h.every VALUES (10, E'line\nbreak, "quotes", ''single'', \\ back\tslash, 𠮷𡈽 😀', '', 'ab', 'x', 'NaN', 0.1000, '-0', 1.1e-30, '-12.34', true, -32768,
  '\x00ff0a', 'infinity', '24:00', '12:34:56.789+08:30', '-infinity', '2026-11-23 09:45:00.123456+08', '1 year -2 mons 3 days -04:05:06.789', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.1/8', '10.0.0.0/8',
  '08:00:2b:01:02:03', B'101', B'1', '{"b": 1,  "a": 1, "a": 2}', '{"b": 1.00, "a": null}', '<a>b</a>', '[-1:1]={1,NULL,3}', '{{"a,b",NULL},{"","\"q\""}}', '开心', 12.3400, ROW(1, 'x,y"z'),
  '[1,5)', '{[1,3),[7,9)}', '(1.1,-0)', 'a:1 b:2', 'CaSe', 4294967295, ARRAY['{"k" : 1}'::json]),
 (11, '', NULL, NULL, NULL, '123456789012345678901234567890.123456789000', NULL, 'Infinity', 'NaN', NULL, NULL, NULL, '', '0044-03-15 BC', NULL, NULL, '4713-01-01 00:00:00 BC', 'infinity', '0', NULL, NULL, NULL,
  NULL, NULL, '', 'null', 'null', 'text <b/> and more', '{}', NULL, 'so so', 0, NULL, 'empty', '{}', NULL, '', '', 0, '{}'),
 (12, NULL, NULL, NULL, NULL, NULL, NULL, 0.1234567890123456, 0.12345679, NULL, NULL, NULL, '\xfe5c00', '2026-02-03', NULL, NULL, '2026-03-04 05:06:07', '2026-11-01 05:30:00+00', '-1 days -02:03:04',
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE h.every SET t = '', f = '-0', n = 1.10, j = '{"a":1 }', arr = '[5:6]={7,8}' WHERE id = 1;
UPDATE h.every SET t = NULL, n = '-0.000' WHERE id = 2;
COMMIT;
UPDATE public."tblClaim" SET "select" = 'from', "a""b" = 2 WHERE "Order" = 1;
INSERT INTO public."tblClaim" VALUES (2, '09:00', NULL, '', 3);
UPDATE h.挂号 SET 姓名 = '司马' WHERE 编号 = 1;
INSERT INTO h.ident (price, qty) VALUES (1.2345, 3);
UPDATE h.part SET day = '2026-02-07' WHERE id = 1;
UPDATE h.part SET what = 'changed' WHERE id = 2;
INSERT INTO h.part VALUES (4, '2026-02-20', 'direct');
DELETE FROM h.part WHERE id = 3;
BEGIN; INSERT INTO h.hen VALUES (1, 1); INSERT INTO h.egg VALUES (1, 1); COMMIT;
INSERT INTO h.tree VALUES (3, 2), (4, 3); DELETE FROM h.tree WHERE id = 4;
UPDATE h.master SET code = 'A2' WHERE code = 'A';
DELETE FROM h.master WHERE code = 'B';
"#;
    cluster.execute(DB, &format!("{client}\n{day}"));
}

/// `defaults` are set on the primary, on the standby before anything is loaded, and on the standby after the day.
fn awkward_circle(client: &str, defaults: [&str; 3]) {
    let (primary, standby) = Cluster::pair();
    let third = Cluster::start(Kind::Third);
    for cluster in [&primary, &third] {
        cluster.create_database(DB);
        cluster.execute(DB, AWKWARD);
    }
    third.execute(DB, "ALTER SEQUENCE h.ident_id_seq RESTART 900000");
    primary.execute(DB, defaults[0]);
    standby.execute("postgres", defaults[1]);
    let work = Workplace::new(&primary, &standby, AWKWARD_TABLES);
    let day = |standby: &Cluster| {
        awkward_day(standby, client);
        standby.execute("postgres", defaults[2]);
    };
    let status = around(&work, &standby, day, || {}, 0);
    assert_eq!(status["units"]["held"], 0);
    awkward_day(&third, client);
    assert_same_tables((&primary, DB), (&third, DB), &[]);
    // A materialized view is refreshed at loading; the primary's was never refreshed.
    assert_eq!(standby.value(DB, "SELECT h.twice(4)::text || (SELECT n FROM h.mv)"), "83");
}

#[test]
fn p2_exact_every_awkward_type_and_name_goes_round_unchanged() {
    awkward_circle("", ["", "", ""]);
}

#[test]
fn p2_exact_whatever_the_settings_of_the_client_that_wrote() {
    awkward_circle(
        "SET DateStyle = 'SQL, DMY'; SET TimeZone = 'America/New_York'; SET IntervalStyle = 'sql_standard'; SET extra_float_digits = 0; SET bytea_output = 'escape'; \
         SET lc_monetary = 'C'; SET search_path = h, ext; SET standard_conforming_strings = on;",
        ["", "", ""],
    );
}

#[test]
fn p2_exact_whatever_the_defaults_of_the_two_databases_are() {
    // Each side writes and reads values in another way, and neither in the way of the files.
    awkward_circle(
        "SET xmloption = content;",
        [
            "ALTER DATABASE his SET DateStyle = 'SQL, MDY'; ALTER DATABASE his SET IntervalStyle = 'postgres_verbose';
             ALTER DATABASE his SET TimeZone = 'America/Chicago'; ALTER DATABASE his SET extra_float_digits = -5;
             ALTER DATABASE his SET bytea_output = 'escape'; ALTER DATABASE his SET xmloption = document;
             ALTER DATABASE his SET search_path = h; ALTER DATABASE his SET row_security = on;",
            "ALTER ROLE postgres SET xmloption = document",
            "ALTER DATABASE his SET DateStyle = 'SQL, DMY'; ALTER DATABASE his SET IntervalStyle = 'sql_standard';
             ALTER DATABASE his SET TimeZone = 'Asia/Shanghai'; ALTER DATABASE his SET extra_float_digits = -15;
             ALTER DATABASE his SET bytea_output = 'escape'",
        ],
    );
}

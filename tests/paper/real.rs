//! The same on a HIS that nobody here wrote: its slips are a section of the profile and two SQL files, and no code.

use super::PROGRAM;
use super::reference::number;
use crate::support::workplace::DB;
use crate::support::{Cluster, Workplace, real_his};
use serde_json::json;
use std::fs;

const SLIPS: &str = r#"
[[table]]
name = "public.dms_registration"
capture = true
same_as = ["patient_id", "dept_id", "attendance_date"]
[[table]]
name = "public.bms_invoice_record"
capture = true
money = ["amount"]
[[slip]]
kind = "registration"
prefix = "G"
title = { zh = "应急挂号单", en = "Emergency registration" }
sql = "registration.sql"
twins = { "public.dms_registration" = "registration_id" }
[[slip.column]]
field = "name"
header = { zh = "姓名", en = "Name" }
required = true
personal = true
[[slip.column]]
field = "id_no"
header = { zh = "身份证号", en = "ID number" }
type = "id_no"
required = true
personal = true
[[slip.column]]
field = "dept"
header = { zh = "科室编号", en = "Department" }
type = "whole"
required = true
lookup = "public.sms_dept.id"
[[slip.column]]
field = "fee"
header = { zh = "金额", en = "Fee" }
type = "money"
required = true
[[slip]]
kind = "charge"
prefix = "S"
title = { zh = "应急收费凭证", en = "Emergency charge slip" }
sql = "charge.sql"
[[slip.column]]
field = "visit"
header = { zh = "挂号单号", en = "Registration slip" }
required = true
[[slip.column]]
field = "drug"
header = { zh = "药品编号", en = "Drug" }
type = "whole"
line = true
required = true
lookup = "public.dms_drug.id"
[[slip.column]]
field = "price"
header = { zh = "单价", en = "Price" }
type = "price"
line = true
required = true
[[slip.column]]
field = "num"
header = { zh = "数量", en = "Quantity" }
type = "whole"
line = true
required = true
[[slip.column]]
field = "amount"
header = { zh = "金额", en = "Amount" }
type = "money"
line = true
required = true
product = ["price", "num"]
[[slip.column]]
field = "total"
header = { zh = "合计", en = "Total" }
type = "money"
required = true
sum = "amount"
"#;

/// As its application writes it: ids inside text, the invoice's number is the next one.
const REGISTRATION: &str = "
SELECT id AS known FROM pms_patient WHERE identification_no = :id_no;
INSERT INTO pms_patient (name, identification_no, gender, date_of_birth)
SELECT :name, :id_no, CASE WHEN substr(:id_no, 17, 1)::int % 2 = 1 THEN 1 ELSE 0 END, substr(:id_no, 7, 8)::date
WHERE (:known)::bigint IS NULL RETURNING id AS new;
SELECT coalesce((:known)::bigint, (:new)::bigint) AS patient_id;
INSERT INTO dms_registration (patient_id, create_time, status, need_book, bind_status, dept_id, attendance_date)
VALUES (:patient_id, :written_at, 1, 0, 0, :dept, (:written_at)::date) RETURNING id AS registration_id;
INSERT INTO bms_bills_record (bill_no, create_time, status, invoice_num, registration_id, record_list)
VALUES (to_char((:written_at)::timestamp, 'YYYYMMDDHH24MI') || lpad((:registration_id::bigint % 10000)::text, 4, '0'), :written_at, 1, 1, :registration_id, :registration_id || ',0><')
RETURNING id AS bill_id;
INSERT INTO bms_invoice_record (create_time, invoice_no, bill_id, amount, operator_id, settlement_cat_id, item_list, type)
SELECT :written_at, coalesce(max(invoice_no), 0) + 1, :bill_id, :fee, 6, 1, :registration_id || ',0,' || :fee || '><', 1 FROM bms_invoice_record;
";

const CHARGE: &str = "
-- must visit: 查无此挂号单 | no such registration slip
SELECT b.id AS bill_id, b.registration_id FROM bms_bills_record b JOIN his_emergency.slip_value v ON v.value::bigint = b.registration_id
WHERE v.name = 'registration_id' AND v.slip_no = :visit;
INSERT INTO dms_medicine_prescription_record (status, create_time, amount, name, registration_id, type, create_staff_id)
VALUES (2, :written_at, :total, '应急手工处方', :registration_id, 1, 8) RETURNING id AS prescription_id;
INSERT INTO dms_medicine_item_record (drug_id, status, prescription_id, num, current_num) VALUES (:drug, 1, :prescription_id, :num, :num);
UPDATE bms_bills_record SET record_list = record_list || :prescription_id || ',5><' WHERE id = :bill_id;
INSERT INTO bms_invoice_record (create_time, invoice_no, bill_id, amount, operator_id, settlement_cat_id, item_list, type)
SELECT :written_at, max(invoice_no) + 1, :bill_id, :total, 6, 1, :prescription_id || ',5,' || :total || '><', 1 FROM bms_invoice_record;
";

#[test]
fn p11_slips_of_a_real_his_are_written_as_its_own_application_writes() {
    let Some(dir) = real_his() else { return };
    let (primary, standby) = Cluster::pair();
    primary.create_database(DB);
    for file in ["load.sql", "add_fk.sql"] {
        primary.psql_file(DB, dir.join(file).as_path()).expect(0);
    }
    let work = Workplace::new(&primary, &standby, SLIPS);
    for (file, text) in [("registration.sql", REGISTRATION), ("charge.sql", CHARGE)] {
        fs::write(work.path().join(file), text).expect("written");
    }
    for kind in ["registration", "charge"] {
        work.json(0, PROGRAM, &["numbers", "issue", kind, "--count", "2", "--to", "W01"]);
    }
    let (first, second) = (number("G", 1), number("G", 2));
    let registrations = format!(
        "单号,开单时间,姓名,身份证号,科室编号,金额\n{first},2026/11/22 8:05,欧阳测试,11010519491231002X,3,16\n{second},2026-11-22 08:07,欧阳测试,11010519491231002x,3,8.00\n"
    );
    fs::write(work.path().join("g.csv"), registrations).expect("written");
    let before = primary.value(DB, "SELECT count(*), coalesce(sum(amount), 0) FROM bms_invoice_record");
    let done = work.json(3, PROGRAM, &["import", "g.csv"]);
    // The same patient in the same department twice on one day.
    assert_eq!(done["slips"], json!({"read": 2, "imported": 1, "already": 0, "rejected": 1}));
    assert!(
        done["rejects"][0]["reason"]
            .as_str()
            .expect("a reason")
            .starts_with("public.dms_registration 中已有相同的业务")
    );
    let charges = format!(
        "单号,开单时间,挂号单号,药品编号,单价,数量,金额,合计\n{},2026-11-22 09:00,{first},1,10.4867,3,31.46,40.26\n,,,2,4.40,2,8.8,\n{},2026-11-22 09:01,{second},1,1,1,1,1\n",
        number("S", 1),
        number("S", 2)
    );
    fs::write(work.path().join("s.csv"), charges).expect("written");
    let done = work.json(3, PROGRAM, &["import", "s.csv"]);
    assert_eq!(done["slips"], json!({"read": 2, "imported": 1, "already": 0, "rejected": 1}));
    assert_eq!(done["rejects"][0]["reason"], "查无此挂号单");
    let (rows, sum) = before.split_once('|').expect("two values");
    let rows: u32 = rows.parse().expect("a number");
    let sum: rust_decimal::Decimal = sum.parse().expect("an amount");
    let expected = format!("{}|{}", rows + 2, sum + rust_decimal::Decimal::new(5626, 2));
    assert_eq!(primary.value(DB, "SELECT count(*), sum(amount) FROM bms_invoice_record"), expected);
    let list = "SELECT b.record_list = r.id || ',0><' || p.id || ',5><', (SELECT count(*) FROM dms_medicine_item_record i WHERE i.prescription_id = p.id)
        FROM dms_registration r JOIN bms_bills_record b ON b.registration_id = r.id JOIN dms_medicine_prescription_record p ON p.registration_id = r.id WHERE p.name = '应急手工处方'";
    assert_eq!(primary.rows(DB, list), ["t|2"]);
}

//! The same contract, and the same day, on a HIS that nobody here wrote: real.sql is all that it takes.

use super::Hospital;
use super::day::{Site, a_day};
use crate::support::workplace::DB;
use crate::support::{Cluster, real_his};
use serde_json::json;
use std::path::Path;

/// Its windows write these; each table's ids come from a block of its own.
const WRITTEN: [(&str, &str); 12] = [
    ("public.pms_patient", ""),
    ("public.dms_registration", ""),
    ("public.dms_medicine_prescription_record", "money = [\"amount\"]"),
    ("public.dms_medicine_item_record", ""),
    ("public.dms_non_drug_item_record", "money = [\"amount\"]"),
    ("public.bms_bills_record", ""),
    ("public.bms_invoice_record", "money = [\"amount\"]\nassign = { invoice_no = \"desk.official_no()\" }"),
    ("public.bms_operator_settle_record", "money = [\"amount\", \"cash_amount\"]"),
    ("desk.access", ""),
    ("desk.shift", "money = [\"cash_expected\", \"cash_counted\"]"),
    ("desk.refund_due", "money = [\"amount\"]"),
    ("public.sms_skd", "counter = [\"remain\"]"),
];
const KEPT: [&str; 6] = [
    "desk.request",
    "desk.window_number",
    "desk.payment_reference",
    "desk.voucher",
    "desk.voucher_line",
    "desk.queue_no",
];
const READ: [&str; 7] =
    ["dms_drug", "dms_non_drug", "sms_dept", "sms_staff", "sms_role", "sms_registration_rank", "bms_settlement_cat"];

fn profile() -> String {
    let mut toml = String::new();
    for table in READ {
        toml += &format!("[[table]]\nname = \"public.{table}\"\n");
    }
    for table in ["desk.session", "desk.invoice_counter"] {
        toml += &format!("[[table]]\nname = \"{table}\"\nscratch = true\n");
    }
    for (table, more) in WRITTEN {
        toml += &format!("[[table]]\nname = \"{table}\"\ncapture = true\n{more}\n");
        toml += &format!("[[numbers]]\nsequence = \"{table}_id_seq\"\nblock = [900000000, 900999999]\n");
    }
    for table in KEPT {
        let counter = if table == "desk.window_number" { "counter = [\"last_no\"]\n" } else { "" };
        toml += &format!("[[table]]\nname = \"{table}\"\ncapture = true\n{counter}");
    }
    toml + "[[numbers]]\nsequence = \"desk.invoice_no_seq\"\nblock = [900000000001, 999999999999]\n"
}

/// Fifty cashiers and somebody who approves, as its own login keeps them; some doctors see few patients; and doctors ordered
/// something for everybody before the outage.
const MORE: &str = "
CREATE OR REPLACE FUNCTION desk.today() RETURNS date LANGUAGE sql STABLE AS $$ SELECT date '2019-07-06' $$;
INSERT INTO sms_staff (id, username, password, status, name, dept_id, role_id)
SELECT n, 'S' || to_char(n, 'FM00000'), crypt('demo-S' || to_char(n, 'FM00000'), gen_salt('bf', 4)), 1, '收费员' || n, 2, 5 FROM generate_series(2001, 2050) AS n
UNION ALL SELECT 2301, 'S02301', crypt('demo-S02301', gen_salt('bf', 4)), 1, '值班长', 2, 1;
UPDATE sms_skd SET remain = CASE WHEN id % 3 = 0 THEN 2 ELSE 5000 END WHERE date = '2019-07-06';
INSERT INTO pms_patient (id, name, gender, phone_no, date_of_birth)
SELECT n, '患者' || n, n % 2, '199' || to_char(n, 'FM00000000'), '1980-01-01' FROM generate_series(19, 500) AS n;
INSERT INTO dms_registration (id, patient_id, create_time, status, need_book, bind_status, dept_id, attendance_date)
SELECT 1000 + id, id, '2019-07-06 08:00', 2, 0, 0, 3, '2019-07-06' FROM pms_patient;
INSERT INTO dms_medicine_prescription_record (id, status, create_time, amount, name, registration_id, type, create_staff_id)
SELECT 1000 + p.id, 1, '2019-07-06 08:30', 2 * d.price, '成药处方', 1000 + p.id, 1, 8 FROM pms_patient AS p JOIN dms_drug AS d ON d.id = p.id;
INSERT INTO dms_medicine_item_record (id, drug_id, status, prescription_id, num, current_num)
SELECT 1000 + id, id, 1, 1000 + id, 2, 2 FROM pms_patient;
INSERT INTO dms_non_drug_item_record (id, registration_id, status, no_drug_id, create_time, type, create_staff_id)
SELECT 1000 + id, 1000 + id, 1, 1 + id % 20, '2019-07-06 08:30', 1, 8 FROM pms_patient WHERE id % 2 = 0;";

const SITE: Site = Site {
    items: &["ZSY", "D1", "D2", "D3", "N1", "N2", "N3"],
    known: 500,
    splits: false,
    free: "SELECT id, remain FROM sms_skd ORDER BY id",
    taken: "SELECT s.id, count(r.id) FROM sms_skd AS s LEFT JOIN dms_registration AS r ON r.skd_id = s.id AND r.id >= 900000000 AND r.status <> 4 GROUP BY s.id ORDER BY s.id",
    paid: "SELECT sum(amount) FROM bms_invoice_record WHERE id >= 900000000",
    wrong: &[
        "SELECT count(*) FROM sms_skd WHERE remain < 0",
        "SELECT count(invoice_no) - count(DISTINCT invoice_no) FROM bms_invoice_record WHERE id >= 900000000",
        "SELECT count(*) FROM bms_invoice_record AS o WHERE id >= 900000000 AND (type = 3) <> EXISTS (SELECT FROM bms_invoice_record AS b WHERE b.associate_id = o.id AND b.type = 2 AND b.amount = -o.amount)",
        "SELECT count(*) FROM bms_invoice_record AS i JOIN (SELECT invoice_id, sum(price * quantity) AS sum FROM desk.voucher_line GROUP BY 1) AS l ON l.invoice_id = i.id WHERE i.amount <> l.sum",
        // Every document that was charged is named in its visit's bill, and once.
        "SELECT count(*) FROM dms_medicine_prescription_record AS p WHERE status > 1 AND (SELECT count(*) FROM bms_bills_record AS b, unnest(string_to_array(b.record_list, '><')) AS e WHERE b.registration_id = p.registration_id AND e = p.id || ',5') <> 1",
    ],
};

#[test]
fn the_same_day_passes_on_a_real_his_with_a_contract_of_its_own() {
    let Some(dir) = real_his() else { return };
    let (primary, standby) = Cluster::pair();
    primary.create_database(DB);
    for file in ["load.sql", "add_fk.sql"] {
        primary.psql_file(DB, &dir.join(file)).expect(0);
    }
    primary.execute(DB, "CREATE EXTENSION pgcrypto");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["samples/his/desk/common.sql", "tests/desk/real.sql"] {
        primary.psql_file(DB, &here.join(file)).expect(0);
    }
    let h = Hospital::with(primary, standby, MORE, &profile(), "his_desk");
    a_day(&h, &SITE, || {});
    // What the desk numbered from its block has the numbers that this HIS gives: from 1, without a gap.
    let official = "SELECT min(invoice_no), max(invoice_no) - count(*), count(DISTINCT invoice_no) - count(*) FROM bms_invoice_record WHERE id >= 900000000";
    assert_eq!(h.primary.value(DB, official), "1|0|0");
    let status = h.work.json(0, "his-merge", &["status"]);
    assert_eq!((&status["balanced"], &status["units"]["held"]), (&json!(true), &json!(0)));
    // A cashier closes the day on the primary, with what the emergency brought.
    let opened = h.desk_json("S02001", "W01", 0, &["shift", "open"]);
    assert_eq!(opened["again"], json!(null));
    let drawer = h.desk_json("S02001", "W01", 0, &["shift", "close", "--counted", "0"]);
    let closed = h.primary.value(DB, "SELECT amount FROM bms_operator_settle_record WHERE cashier_id = 2001");
    assert_eq!(drawer["close_paid"], json!(closed));
    assert_eq!(h.primary.value(DB, "SELECT sum(amount) FROM bms_invoice_record WHERE operator_id = 2001"), closed);
}

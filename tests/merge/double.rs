//! Money that doubles without two rows meeting: twins of the gap, a second refund, a visit cancelled on the other side.

use super::conflict;
use crate::opened::Opened;
use serde_json::json;

const CLINIC: &str = "
CREATE SCHEMA h;
CREATE TABLE h.patient (id bigserial PRIMARY KEY, name text NOT NULL, id_no text UNIQUE);
CREATE TABLE h.schedule (id int PRIMARY KEY, slots_left int NOT NULL);
CREATE TABLE h.visit (id bigserial PRIMARY KEY, patient_id bigint REFERENCES h.patient, day date, dept int, fee numeric(10,2), status text NOT NULL DEFAULT 'registered', schedule_id int REFERENCES h.schedule);
CREATE TABLE h.charge (id bigserial PRIMARY KEY, visit_id bigint REFERENCES h.visit, total numeric(10,2), refund_of bigint REFERENCES h.charge);
CREATE TABLE h.payment (charge_id bigint REFERENCES h.charge, no int, amount numeric(10,2), PRIMARY KEY (charge_id, no));
INSERT INTO h.patient (name, id_no) SELECT 'p' || i, 'n' || i FROM generate_series(1, 20) i;
INSERT INTO h.schedule SELECT i, 10 FROM generate_series(1, 3) i;
INSERT INTO h.visit (patient_id, day, dept, fee, schedule_id) SELECT i, '2026-11-22', 1, 5, 1 FROM generate_series(1, 5) i;
INSERT INTO h.charge (visit_id, total) SELECT i, 100 FROM generate_series(1, 5) i;";

const TABLES: &str = r#"
[[table]]
name = "h.patient"
capture = true
personal = ["name", "id_no"]
[[table]]
name = "h.schedule"
capture = true
counter = ["slots_left"]
[[table]]
name = "h.visit"
capture = true
money = ["fee"]
same_as = ["patient_id", "day", "dept"]
[[table]]
name = "h.charge"
capture = true
money = ["total"]
once = ["refund_of"]
guard = { visit_id = ["status"] }
[[table]]
name = "h.payment"
capture = true
money = ["amount"]
part_of = "h.charge"
"#;

pub fn clinic() -> Opened {
    numbered(Opened::new(CLINIC, TABLES))
}

fn numbered(o: Opened) -> Opened {
    for sequence in ["patient", "visit", "charge"] {
        o.standby.execute(crate::support::workplace::DB, &format!("SELECT setval('h.{sequence}_id_seq', 900000)"));
    }
    o
}

pub const REGISTER: &str = "UPDATE h.schedule SET slots_left = slots_left - 1 WHERE id = 1;
    INSERT INTO h.visit (patient_id, day, dept, fee, schedule_id) VALUES (9, '2026-11-23', 1, 5, 1)";

#[test]
fn a_patient_registered_on_the_primary_in_the_gap_and_again_on_the_standby_is_a_twin() {
    let o = clinic();
    // A second visit of the same day that the standby knows of is none; nor is one of another department.
    o.window(&[
        REGISTER,
        "INSERT INTO h.visit (patient_id, day, dept, fee) VALUES (1, '2026-11-22', 1, 5)",
        "INSERT INTO h.visit (patient_id, day, dept, fee) VALUES (9, '2026-11-23', 2, 5)",
        "INSERT INTO h.visit (patient_id, day, dept, fee) VALUES (9, '2026-11-23', 2, 5)",
    ]);
    o.meanwhile(REGISTER);
    let json = o.merge(3);
    assert_eq!(json["units"], json!({"captured": 4, "merged": 3, "held": 1, "rejected": 0}));
    let found = conflict(&o, "twin");
    assert_eq!((&found["table"], &found["key"]), (&json!("h.visit"), &json!({"id": "900001"})));
    assert_eq!(found["primary"]["id"], "6");
    assert_eq!(found["standby"]["new"]["patient_id"], "9");
    assert_eq!(o.rows("SELECT slots_left FROM h.schedule WHERE id = 1"), ["9"]);
}

#[test]
fn a_charge_that_both_sides_refund_is_refunded_once() {
    let o = clinic();
    o.window(&[
        "INSERT INTO h.charge (visit_id, total, refund_of) VALUES (1, -100, 1)",
        "INSERT INTO h.charge (visit_id, total, refund_of) VALUES (2, -100, 2)",
    ]);
    o.meanwhile("INSERT INTO h.charge (visit_id, total, refund_of) VALUES (1, -100, 1)");
    let json = o.merge(3);
    assert_eq!(json["units"], json!({"captured": 2, "merged": 1, "held": 1, "rejected": 0}));
    let found = conflict(&o, "twin");
    assert_eq!((&found["table"], &found["reason"]), (&json!("h.charge"), &json!("once: refund_of")));
    assert_eq!(
        o.rows("SELECT refund_of, sum(total) FROM h.charge WHERE refund_of IS NOT NULL GROUP BY 1 ORDER BY 1"),
        ["1|-100.00", "2|-100.00"]
    );
}

#[test]
fn a_charge_for_a_visit_that_the_primary_cancelled_meanwhile_is_held() {
    let o = clinic();
    o.window(&[
        "INSERT INTO h.charge (visit_id, total) VALUES (1, 30)",
        "INSERT INTO h.charge (visit_id, total) VALUES (2, 30)",
        // What the event itself did to the visit is no surprise.
        "UPDATE h.visit SET status = 'seen' WHERE id = 3",
        "INSERT INTO h.charge (visit_id, total) VALUES (3, 30)",
    ]);
    o.meanwhile("UPDATE h.visit SET status = 'cancelled' WHERE id = 1; UPDATE h.visit SET fee = 6 WHERE id = 2");
    let json = o.merge(3);
    assert_eq!(json["units"], json!({"captured": 4, "merged": 3, "held": 1, "rejected": 0}));
    let found = conflict(&o, "parent");
    assert_eq!(found["reason"], "guard of visit_id: h.visit was changed on the primary (status)");
    assert_eq!((&found["differ"], &found["primary"]["status"]), (&json!(["status"]), &json!("cancelled")));
}

#[test]
fn a_guard_of_a_day_means_the_same_whatever_form_of_dates_the_window_has() {
    let tables = TABLES.replace("visit_id = [\"status\"]", "visit_id = [\"day\"]");
    let o = numbered(Opened::new(CLINIC, &tables));
    o.window(&[
        "SET DateStyle = 'SQL, DMY'; INSERT INTO h.charge (visit_id, total) VALUES (1, 30)",
        "SET DateStyle = 'German'; INSERT INTO h.charge (visit_id, total) VALUES (2, 30)",
    ]);
    o.meanwhile("UPDATE h.visit SET day = '2026-12-01' WHERE id = 2");
    let json = o.merge(3);
    assert_eq!(json["units"], json!({"captured": 2, "merged": 1, "held": 1, "rejected": 0}));
    assert_eq!(conflict(&o, "parent")["primary"]["day"], "2026-12-01");
    assert_eq!(o.rows("SELECT visit_id FROM h.charge WHERE id > 900000"), ["1"]);
}

#[test]
fn p9_no_half_documents_also_when_they_arrive_row_by_row_and_in_different_batches() {
    let o = clinic();
    // A client that commits each row: a header, and a batch later its payments, of which one does not fit.
    o.window(&[
        "INSERT INTO h.charge (visit_id, total) VALUES (1, 30)",
        "INSERT INTO h.charge (visit_id, total) VALUES (2, 7)",
    ]);
    o.work.run("his-export-queue", &[]).expect(0);
    o.window(&[
        "INSERT INTO h.payment VALUES (900001, 1, 10)",
        "INSERT INTO h.payment VALUES (900002, 1, 7)",
        "INSERT INTO h.payment VALUES (900001, 2, 20)",
    ]);
    o.meanwhile("INSERT INTO h.charge (id, visit_id, total) VALUES (900003, 1, 1); INSERT INTO h.payment VALUES (900003, 1, 1); ALTER TABLE h.payment ADD CHECK (amount <> 20)");
    let json = o.merge(3);
    assert_eq!(json["units"], json!({"captured": 5, "merged": 2, "held": 3, "rejected": 0}));
    assert_eq!(o.conflicts(), ["depends -", "depends -", "rule h.payment"]);
    assert_eq!(conflict(&o, "rule")["holds"].as_array().map(Vec::len), Some(2));
    assert_eq!(o.rows("SELECT id FROM h.charge WHERE id > 900000 ORDER BY 1"), ["900002", "900003"]);
    assert_eq!(
        json["money"][0],
        json!({"table": "h.charge", "column": "total", "captured": "37.00", "merged": "7.00", "held": "30.00", "rejected": "0"})
    );
}

#[test]
fn what_depends_on_a_held_unit_of_an_earlier_batch_is_held_too() {
    let o = clinic();
    o.window(&[REGISTER]);
    o.meanwhile(REGISTER);
    o.merge(3);
    o.window(&[
        "INSERT INTO h.charge (visit_id, total) VALUES (900001, 30)",
        "INSERT INTO h.charge (visit_id, total) VALUES (1, 30)",
        "INSERT INTO h.payment VALUES (900001, 1, 30)",
    ]);
    let json = o.merge(3);
    assert_eq!(json["units"], json!({"captured": 4, "merged": 1, "held": 3, "rejected": 0}));
    assert_eq!(o.conflicts(), ["depends -", "depends -", "twin h.visit"]);
}

#[test]
fn a_policy_decides_by_name_and_never_where_money_would_be_left_without_a_record() {
    let standby = TABLES.replace("name = \"h.patient\"\n", "name = \"h.patient\"\non_conflict = \"standby\"\n");
    let primary = standby.replace("name = \"h.visit\"\n", "name = \"h.visit\"\non_conflict = \"primary\"\n");
    let o = Opened::new(CLINIC, &primary);
    o.window(&[
        "UPDATE h.patient SET name = 'ours' WHERE id = 1",
        "UPDATE h.visit SET status = 'seen' WHERE id = 1",
        "UPDATE h.visit SET status = 'seen', fee = 7 WHERE id = 2",
    ]);
    o.meanwhile("UPDATE h.patient SET name = 'theirs' WHERE id = 1; UPDATE h.visit SET status = 'cancelled'");
    let json = o.merge(3);
    assert_eq!(json["units"], json!({"captured": 3, "merged": 1, "held": 1, "rejected": 1}));
    assert_eq!(o.rows("SELECT name FROM h.patient WHERE id = 1"), ["ours"]);
    assert_eq!(
        o.rows("SELECT status, fee FROM h.visit WHERE id IN (1, 2) ORDER BY id"),
        ["cancelled|5.00", "cancelled|5.00"]
    );
    assert_eq!(
        o.rows("SELECT table_name, \"primary\"::json ->> 'name', by_policy FROM his_emergency.displaced"),
        ["h.patient|theirs|t"]
    );
}

#[test]
fn a_row_made_again_under_its_old_key_keeps_what_the_gap_hung_on_it_and_is_not_deleted_after_that() {
    let o = Opened::new(
        "CREATE SCHEMA h; CREATE TABLE h.visit (id int PRIMARY KEY, word text);
         CREATE TABLE h.note (id int PRIMARY KEY, visit_id int REFERENCES h.visit DEFERRABLE INITIALLY DEFERRED);
         INSERT INTO h.visit VALUES (1, 'old')",
        "[[table]]\nname = \"h.visit\"\ncapture = true\n[[table]]\nname = \"h.note\"\ncapture = true\n",
    );
    o.meanwhile("INSERT INTO h.note VALUES (7, 1)");
    o.window(&[
        "DELETE FROM h.visit WHERE id = 1; INSERT INTO h.visit VALUES (1, 'new')",
        "DELETE FROM h.visit WHERE id = 1",
    ]);
    let json = o.merge(3);
    assert_eq!((&json["units"]["merged"], &json["units"]["held"]), (&json!(1), &json!(1)), "{json:#}");
    assert_eq!(o.conflicts(), ["parent h.visit"]);
    assert_eq!(o.rows("SELECT word FROM h.visit"), ["new"]);
}

#[test]
fn a_deferred_reference_that_the_unit_takes_back_under_another_key_is_no_conflict() {
    let o = Opened::new(
        "CREATE SCHEMA h; CREATE TABLE h.visit (id int PRIMARY KEY, word text);
         CREATE TABLE h.note (id int PRIMARY KEY, visit_id int REFERENCES h.visit DEFERRABLE INITIALLY DEFERRED);",
        "[[table]]\nname = \"h.visit\"\ncapture = true\n[[table]]\nname = \"h.note\"\ncapture = true\n",
    );
    o.window(&[
        "INSERT INTO h.note VALUES (1, 5); UPDATE h.note SET id = 2 WHERE id = 1; UPDATE h.note SET visit_id = NULL WHERE id = 2",
    ]);
    let json = o.merge(0);
    assert_eq!((&json["units"]["merged"], &json["units"]["held"]), (&json!(1), &json!(0)), "{json:#}");
    assert_eq!(o.rows("SELECT id, visit_id FROM h.note"), ["2|"]);
}

#[test]
fn a_guard_holds_also_when_the_standby_gave_the_visit_another_key() {
    let o = Opened::new(
        &format!(
            "{CLINIC} INSERT INTO h.visit (id, patient_id, day, dept, fee, schedule_id) VALUES (6, 6, '2026-11-22', 1, 5, 1);"
        ),
        TABLES,
    );
    o.standby.execute(crate::support::workplace::DB, "SELECT setval('h.charge_id_seq', 900000)");
    o.meanwhile("UPDATE h.visit SET status = 'cancelled' WHERE id = 6");
    o.window(&[
        "UPDATE h.visit SET id = 900006 WHERE id = 6",
        "INSERT INTO h.charge (visit_id, total) VALUES (900006, 7)",
    ]);
    let json = o.merge(3);
    assert_eq!((&json["units"]["merged"], &json["units"]["held"]), (&json!(1), &json!(1)), "{json:#}");
    assert_eq!(o.conflicts(), ["parent h.charge"]);
    assert_eq!(o.rows("SELECT status FROM h.visit WHERE id = 900006"), ["cancelled"]);
}

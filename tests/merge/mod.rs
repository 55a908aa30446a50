//! Bringing units back: what is applied, what is held, what the account says.

mod day;
mod decide;
mod double;
mod live;
mod script;
mod shown;
mod speed;

use crate::opened::Opened;
use crate::support::workplace::DB;
use serde_json::json;

const COUNTER: &str = "
CREATE SCHEMA h;
CREATE TABLE h.patient (id bigserial PRIMARY KEY, name text NOT NULL CHECK (name <> 'refused'), id_no text UNIQUE, phone text, address text);
CREATE TABLE h.schedule (id int PRIMARY KEY, slots_left int, current_no int DEFAULT 0, note text);
CREATE TABLE h.charge (id bigserial PRIMARY KEY, patient_id bigint REFERENCES h.patient, total numeric(12,4), receipt_no text UNIQUE, event text);
CREATE TABLE h.line (id bigserial PRIMARY KEY, charge_id bigint REFERENCES h.charge, amount numeric(12,4));
INSERT INTO h.patient (name, id_no) SELECT 'p' || i, 'n' || i FROM generate_series(1, 20) i;
INSERT INTO h.schedule (id, slots_left) SELECT i, 10 FROM generate_series(1, 3) i;
INSERT INTO h.charge (patient_id, total, receipt_no) SELECT i, 10.5, 'r' || i FROM generate_series(1, 5) i;";

const TABLES: &str = r#"
[[table]]
name = "h.patient"
capture = true
[[table]]
name = "h.schedule"
capture = true
counter = ["slots_left"]
[[table]]
name = "h.charge"
capture = true
money = ["total"]
[[table]]
name = "h.line"
capture = true
money = ["amount"]
part_of = "h.charge"
[[numbers]]
column = "h.schedule.current_no"
jump = 500
"#;

/// The one conflict of a kind.
fn conflict(o: &Opened, kind: &str) -> serde_json::Value {
    let json = o.work.json(0, "his-merge", &["conflicts"]);
    let list = json["conflicts"].as_array().expect("a list of conflicts");
    let found: Vec<_> = list.iter().filter(|c| c["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{json:#}");
    found[0].clone()
}

fn opened() -> Opened {
    let opened = Opened::new(COUNTER, TABLES);
    for sequence in ["patient", "charge", "line"] {
        opened.standby.execute(DB, &format!("SELECT setval('h.{sequence}_id_seq', 900000)"));
    }
    opened
}

#[test]
fn what_was_captured_is_merged_held_or_rejected_to_the_cent() {
    let o = opened();
    o.window(&[
        "INSERT INTO h.charge (patient_id, total) VALUES (1, 12.3456); INSERT INTO h.line (charge_id, amount) VALUES (900001, 12.3456)",
        "UPDATE h.patient SET phone = '1' WHERE id = 2; INSERT INTO h.charge (patient_id, total) VALUES (2, 0.01)",
        "UPDATE h.charge SET total = total - 0.5 WHERE id = 1",
    ]);
    o.meanwhile("UPDATE h.patient SET phone = '2' WHERE id = 2");
    let json = o.merge(3);
    assert_eq!(json["event"], "01-0001");
    assert_eq!(json["units"], json!({"captured": 3, "merged": 2, "held": 1, "rejected": 0}));
    assert_eq!(json["rows"], json!({"captured": 5, "merged": 3, "held": 2, "rejected": 0}));
    assert_eq!(
        json["money"],
        json!([
            {"table": "h.charge", "column": "total", "captured": "11.8556", "merged": "11.8456", "held": "0.0100", "rejected": "0"},
            {"table": "h.line", "column": "amount", "captured": "12.3456", "merged": "12.3456", "held": "0", "rejected": "0"},
        ])
    );
    assert_eq!((&json["balanced"], &json["new"]), (&json!(true), &json!({"merged": 2, "held": 1})));
    assert_eq!(o.rows("SELECT sum(total) FROM h.charge"), ["64.3456"]);
}

#[test]
fn merging_the_same_batch_twice_changes_nothing() {
    let o = opened();
    o.window(&[
        "UPDATE h.schedule SET slots_left = slots_left - 1 WHERE id = 1",
        "INSERT INTO h.charge (total) VALUES (1)",
    ]);
    o.merge(0);
    let once = o.primary.digest(DB);
    let again = o.work.json(0, "his-merge", &["--early"]);
    assert_eq!(again["new"], json!({"merged": 0, "held": 0}));
    let batch = o.work.store().join("queue/01-0001/000001");
    o.work.run("his-merge", &["--early", &batch.to_string_lossy()]).expect(0);
    assert_eq!(o.primary.digest(DB), once);
    assert_eq!(o.rows("SELECT slots_left FROM h.schedule WHERE id = 1"), ["9"]);
}

#[test]
fn p7_once_a_merge_killed_before_it_noted_the_batch_applies_nothing_twice() {
    let o = opened();
    o.window(&[
        "UPDATE h.schedule SET slots_left = slots_left - 1 WHERE id = 1",
        "INSERT INTO h.charge (total) VALUES (1)",
        "UPDATE h.patient SET phone = 'ours' WHERE id = 1",
    ]);
    o.meanwhile("UPDATE h.patient SET phone = 'theirs' WHERE id = 1");
    let before = o.merge(3);
    let once = o.primary.digest(DB);
    // What such a kill leaves: the units are in the ledger, the batch is not.
    o.meanwhile("DELETE FROM his_emergency.batch");
    let again = o.work.json(3, "his-merge", &["--early"]);
    assert_eq!((&again["new"], &again["units"]), (&json!({"merged": 0, "held": 0}), &before["units"]));
    assert_eq!(o.primary.digest(DB), once);
    assert_eq!(o.rows("SELECT slots_left FROM h.schedule WHERE id = 1"), ["9"]);
}

#[test]
fn two_sides_that_changed_the_same_column_are_a_conflict_also_when_to_the_same_value() {
    let o = opened();
    o.window(&["UPDATE h.patient SET phone = 'same' WHERE id = 1", "UPDATE h.patient SET phone = 'ours' WHERE id = 2"]);
    o.meanwhile(
        "UPDATE h.patient SET phone = 'same' WHERE id = 1; UPDATE h.patient SET address = 'theirs' WHERE id = 2",
    );
    let json = o.merge(3);
    assert_eq!(json["new"], json!({"merged": 1, "held": 1}));
    assert_eq!(o.conflicts(), ["changed h.patient"]);
    // Another column of the same row is no conflict: both changes stand.
    assert_eq!(o.rows("SELECT phone, address FROM h.patient WHERE id = 2"), ["ours|theirs"]);
}

#[test]
fn every_kind_of_conflict_is_held_and_everything_else_is_merged() {
    let o = opened();
    o.window(&[
        "INSERT INTO h.patient (id, name) VALUES (100, 'ours')",
        "INSERT INTO h.patient (id, name, id_no) VALUES (101, 'x', 'taken')",
        "UPDATE h.patient SET name = 'ours' WHERE id = 3",
        "UPDATE h.patient SET phone = '1' WHERE id = 6",
        "INSERT INTO h.charge (patient_id, total) VALUES (7, 1)",
        "UPDATE h.patient SET phone = 'fine' WHERE id = 8",
        "DELETE FROM h.patient WHERE id = 9",
        "UPDATE h.patient SET address = 'refuse me' WHERE id = 10",
    ]);
    o.meanwhile(
        "INSERT INTO h.patient (id, name) VALUES (100, 'theirs'); INSERT INTO h.patient (id, name, id_no) VALUES (200, 'y', 'taken');
         UPDATE h.patient SET name = 'theirs' WHERE id = 3; DELETE FROM h.patient WHERE id IN (6, 7);
         INSERT INTO h.charge (id, patient_id, total) VALUES (50, 9, 3);
         ALTER TABLE h.patient ADD CONSTRAINT no_refuse CHECK (address <> 'refuse me') NOT VALID",
    );
    let json = o.merge(3);
    assert_eq!(
        o.conflicts(),
        [
            "changed h.patient",
            "exists h.patient",
            "missing h.patient",
            "parent h.charge",
            "parent h.patient",
            "rule h.patient",
            "unique h.patient"
        ]
    );
    assert_eq!(json["units"], json!({"captured": 8, "merged": 1, "held": 7, "rejected": 0}));
    assert_eq!(json["balanced"], true);
    assert_eq!(o.rows("SELECT phone FROM h.patient WHERE id = 8"), ["fine"]);
    assert_eq!(o.rows("SELECT count(*) FROM h.patient WHERE id = 9"), ["1"]);
}

#[test]
fn a_row_that_is_there_already_with_the_same_content_is_merged_and_listed() {
    let o = opened();
    o.window(&["INSERT INTO h.patient (id, name, id_no) VALUES (100, 'same', 'n100')"]);
    o.meanwhile("INSERT INTO h.patient (id, name, id_no) VALUES (100, 'same', 'n100')");
    assert_eq!(o.merge(0)["new"], json!({"merged": 1, "held": 0}));
    assert_eq!(o.rows("SELECT table_name, key FROM his_emergency.already"), [r#"h.patient|{"id" : "100"}"#]);
}

#[test]
fn a_held_unit_holds_exactly_what_depends_on_it() {
    let o = opened();
    o.window(&[
        // Held, and the three after it with it: by key, by reference, by unique value.
        "UPDATE h.patient SET phone = 'ours', id_no = NULL WHERE id = 1",
        "UPDATE h.patient SET address = 'later' WHERE id = 1",
        "UPDATE h.patient SET id_no = 'n1' WHERE id = 2",
        "INSERT INTO h.patient (id, name, id_no) VALUES (900, 'new', 'n2')",
        // Independent of all that: a charge of the patient only needs the patient to be there.
        "INSERT INTO h.charge (patient_id, total) VALUES (1, 5)",
        "UPDATE h.schedule SET slots_left = slots_left - 1 WHERE id = 1",
    ]);
    o.meanwhile("UPDATE h.patient SET phone = 'theirs' WHERE id = 1");
    let json = o.merge(3);
    assert_eq!(json["units"], json!({"captured": 6, "merged": 2, "held": 4, "rejected": 0}));
    assert_eq!(o.conflicts(), ["changed h.patient", "depends -", "depends -", "depends -"]);
}

#[test]
fn what_depends_on_a_held_unit_of_an_earlier_batch_is_held_too() {
    let o = opened();
    o.window(&["INSERT INTO h.patient (id, name, id_no) VALUES (900, 'new', 'taken')"]);
    o.meanwhile("INSERT INTO h.patient (id, name, id_no) VALUES (200, 'y', 'taken')");
    assert_eq!(o.merge(3)["new"], json!({"merged": 0, "held": 1}));
    o.window(&[
        "INSERT INTO h.charge (patient_id, total) VALUES (900, 5)",
        "INSERT INTO h.charge (patient_id, total) VALUES (2, 6)",
    ]);
    assert_eq!(o.merge(3)["new"], json!({"merged": 1, "held": 1}));
    assert_eq!(o.conflicts(), ["depends -", "unique h.patient"]);
}

#[test]
fn a_document_written_row_by_row_is_held_whole() {
    let o = opened();
    o.window(&[
        "INSERT INTO h.charge (id, patient_id, total) VALUES (901, 1, 30)",
        "INSERT INTO h.line (id, charge_id, amount) VALUES (1, 901, 10)",
        "INSERT INTO h.line (id, charge_id, amount) VALUES (2, 901, 20)",
        "INSERT INTO h.charge (id, patient_id, total) VALUES (902, 1, 7)",
        "INSERT INTO h.line (id, charge_id, amount) VALUES (3, 902, 7)",
    ]);
    o.meanwhile("INSERT INTO h.line (id, amount) VALUES (2, 999)");
    let json = o.merge(3);
    assert_eq!(json["units"], json!({"captured": 5, "merged": 2, "held": 3, "rejected": 0}));
    assert_eq!(o.rows("SELECT id FROM h.charge WHERE id > 900"), ["902"]);
    assert_eq!(o.rows("SELECT id, amount FROM h.line ORDER BY id"), ["2|999.0000", "3|7.0000"]);
}

#[test]
fn counters_are_merged_as_differences_and_make_no_dependence() {
    let o = opened();
    o.window(&[
        "UPDATE h.schedule SET slots_left = slots_left - 3, current_no = 501 WHERE id = 1",
        "UPDATE h.schedule SET slots_left = slots_left - 1, current_no = 502 WHERE id = 1",
        "UPDATE h.schedule SET note = 'ours' WHERE id = 2",
        "UPDATE h.schedule SET slots_left = slots_left - 1 WHERE id = 2",
    ]);
    o.meanwhile("UPDATE h.schedule SET slots_left = slots_left - 2, current_no = 2 WHERE id = 1; UPDATE h.schedule SET note = 'theirs' WHERE id = 2");
    let json = o.merge(3);
    assert_eq!(json["new"], json!({"merged": 3, "held": 1}));
    assert_eq!(
        o.rows("SELECT id, slots_left, current_no, note FROM h.schedule ORDER BY id"),
        ["1|4|2|", "2|9|0|theirs", "3|10|0|"]
    );
}

#[test]
fn a_swap_of_unique_values_goes_through_the_value_in_between() {
    let o = opened();
    o.window(&[
        "UPDATE h.patient SET id_no = 'between' WHERE id = 1; UPDATE h.patient SET id_no = 'n1' WHERE id = 2; UPDATE h.patient SET id_no = 'n2' WHERE id = 1",
        "DELETE FROM h.patient WHERE id = 11",
        "INSERT INTO h.patient (id, name, id_no) VALUES (11, 'born again', 'n11')",
        "UPDATE h.patient SET id = 1200 WHERE id = 12",
    ]);
    o.merge(0);
    assert_eq!(
        o.rows("SELECT id, name, id_no FROM h.patient WHERE id IN (1, 2, 11, 12, 1200) ORDER BY id"),
        ["1|p1|n2", "2|p2|n1", "11|born again|n11", "1200|p12|n12"]
    );
}

#[test]
fn stamps_and_official_numbers_are_given_while_merging_and_the_emergency_number_is_kept() {
    let o = Opened::new(
        &format!(
            "{COUNTER} CREATE SEQUENCE h.official START 5001; CREATE FUNCTION h.next_receipt() RETURNS text LANGUAGE sql AS $$ SELECT 'A' || nextval('h.official') $$;"
        ),
        &TABLES.replace(
            "money = [\"total\"]",
            "money = [\"total\"]\nstamp = { event = \"event\" }\nassign = { receipt_no = \"h.next_receipt()\" }",
        ),
    );
    o.window(&[
        "INSERT INTO h.charge (id, total, receipt_no) VALUES (91, 1, 'E1')",
        "INSERT INTO h.charge (id, total, receipt_no) VALUES (92, 2, 'E2')",
    ]);
    o.merge(0);
    assert_eq!(
        o.rows("SELECT id, receipt_no, event FROM h.charge WHERE id > 90 ORDER BY id"),
        ["91|A5001|01-0001", "92|A5002|01-0001"]
    );
    let json = o.work.json(0, "his-merge", &["status", "--number", "E2"]);
    assert_eq!((&json["found"][0]["official"], &json["found"][0]["status"]), (&json!("A5002"), &json!("merged")));
}

#[test]
fn while_the_windows_are_away_somebody_must_say_that_the_primary_is_sound() {
    let o = opened();
    o.window(&["UPDATE h.patient SET phone = '1' WHERE id = 1"]);
    o.work.run("his-export-queue", &[]).expect(0);
    let ran = o.work.run("his-merge", &[]).expect(4);
    assert_eq!(
        ran.hint(),
        "his-switch primary merges and brings the windows back; use --early if the primary is known to be sound."
    );
}

#[test]
fn a_schema_changed_on_the_primary_meanwhile_is_refused() {
    let o = opened();
    o.window(&["UPDATE h.patient SET phone = '1' WHERE id = 1"]);
    o.meanwhile("ALTER TABLE h.patient DROP COLUMN address");
    o.work.run("his-export-queue", &[]).expect(0);
    o.work.run("his-merge", &["--early"]).expect(4).says("column 'address' is not there on the primary");
}

#[test]
fn a_primary_that_is_down_is_exit_6_and_a_second_merge_exit_7() {
    let o = opened();
    o.window(&["UPDATE h.patient SET phone = '1' WHERE id = 1"]);
    o.work.run("his-export-queue", &[]).expect(0);
    let holder = o.primary.client(DB);
    let mut holder = holder;
    holder.batch_execute("SELECT pg_advisory_lock(1212765509, 2)").expect("the lock can be held");
    o.work.run("his-merge", &["--early"]).expect(7).says("another session of his-merge holds it");
    drop(holder);
    o.primary.stop_immediate();
    let ran = o.work.run("his-merge", &["--early"]).expect(6);
    assert_eq!(ran.hint(), "check that the server runs and can be reached, then run the same command again.");
    o.primary.start_again();
    assert_eq!(o.merge(0)["new"], json!({"merged": 1, "held": 0}));
}

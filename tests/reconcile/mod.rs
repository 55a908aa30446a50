//! Reconciliation: what was captured against what became of it and what the primary holds, to the cent.

mod numbers;
mod origins;
mod reference;
mod sign_off;
mod told;
mod wipe;

use crate::opened::Opened;
use crate::support::workplace::DB;
use his_emergency::profile::Profile;
use his_emergency::standby;
use his_emergency::store::{Mode, State, Store};
use serde_json::{Value, json};

const TILL: &str = "
CREATE SCHEMA h;
CREATE TABLE h.patient (id bigserial PRIMARY KEY, name text NOT NULL, phone text);
CREATE TABLE h.schedule (id int PRIMARY KEY, slots_left int NOT NULL, slot_limit int NOT NULL DEFAULT 2);
CREATE TABLE h.charge (id bigserial PRIMARY KEY, patient_id bigint REFERENCES h.patient, total numeric(12,2) NOT NULL, cashier int NOT NULL DEFAULT 7, refund_of bigint REFERENCES h.charge, note text);
CREATE TABLE h.payment (charge_id bigint REFERENCES h.charge, no int, method text NOT NULL, amount numeric(12,2) NOT NULL, PRIMARY KEY (charge_id, no));
INSERT INTO h.patient (name) SELECT 'p' || i FROM generate_series(1, 9) i;
INSERT INTO h.schedule (id, slots_left) VALUES (1, 2), (2, 2);
INSERT INTO h.charge (patient_id, total) SELECT i, 100 FROM generate_series(1, 5) i;";

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
group = ["cashier"]
[[table]]
name = "h.payment"
capture = true
money = ["amount"]
group = ["method"]
part_of = "h.charge"
[[numbers]]
sequence = "h.charge_id_seq"
block = [900001, 999999]
"#;

/// Two charges, one paid in two ways, and a refund of a charge from before the outage.
const DAY: [&str; 3] = [
    "INSERT INTO h.charge (patient_id, total) VALUES (1, 30); INSERT INTO h.payment VALUES (900001, 1, 'CASH', 20), (900001, 2, 'CARD', 10)",
    "INSERT INTO h.charge (patient_id, total, cashier) VALUES (2, 7.5, 8); INSERT INTO h.payment VALUES (900002, 1, 'CASH', 7.5)",
    "INSERT INTO h.charge (patient_id, total, refund_of) VALUES (3, -100, 3); INSERT INTO h.payment VALUES (900003, 1, 'CASH', -100); UPDATE h.charge SET note = 'refunded' WHERE id = 3",
];

fn till() -> Opened {
    till_with(TABLES)
}

fn till_with(tables: &str) -> Opened {
    let o = Opened::new(TILL, tables);
    o.standby.execute(DB, "SELECT setval('h.charge_id_seq', 900000)");
    o.standby.execute(DB, "SELECT setval('h.patient_id_seq', 900000)");
    o
}

fn state(o: &Opened, change: impl FnOnce(&mut State)) {
    let profile = Profile::read(o.work.config().as_ref()).expect("the profile of the test is right");
    State::update(&Store::open(&profile).expect("the store is there"), change).expect("the state can be written");
}

/// Closes the standby, exports and merges the tail: the windows are back on the primary.
fn close(o: &Opened, code: i32) {
    o.standby.execute(DB, "SELECT setval('his_emergency.gate', 0)");
    o.work.run("his-export-queue", &["--final"]).expect(0);
    state(o, |s| {
        s.mode = Mode::Normal;
        s.event.as_mut().expect("an event").ended_at = Some(chrono::Utc::now());
    });
    o.work.json(code, "his-merge", &[]);
}

/// Opens the same standby again, under the event of this epoch.
fn next_event(o: &Opened, epoch: u64) {
    state(o, |s| {
        let event = s.event.as_mut().expect("an event");
        (event.id, event.epoch, event.ended_at) = (format!("01-{epoch:04}"), epoch, None);
        (s.mode, s.epoch) = (Mode::Standby, epoch);
    });
    standby::open(&mut o.standby.client(DB), epoch).expect("the gate opens");
}

fn reconcile(o: &Opened, code: i32, args: &[&str]) -> Value {
    o.work.json(code, "his-merge", &[&["reconcile"], args].concat())
}

/// `table column group kind captured merged held rejected primary` of each line.
fn sheet(json: &Value) -> Vec<String> {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let line = |l: &Value| {
        ["table", "column", "group", "kind", "captured", "merged", "held", "rejected", "primary"]
            .map(|k| text(&l[k]))
            .join(" ")
    };
    json["table"].as_array().expect("a table").iter().map(line).collect()
}

#[test]
fn every_cent_is_captured_merged_held_or_rejected_and_on_the_primary_charges_and_refunds_apart() {
    let o = till();
    o.window(&DAY);
    o.window(&["UPDATE h.charge SET total = 101 WHERE id = 4"]);
    o.meanwhile("UPDATE h.charge SET total = 99 WHERE id = 4");
    o.merge(3);
    let json = reconcile(&o, 0, &[]);
    assert_eq!((&json["event"], &json["balanced"], &json["closed"]), (&json!("01-0001"), &json!(true), &json!(false)));
    assert_eq!(json["units"], json!({"captured": 4, "merged": 3, "held": 1, "rejected": 0}));
    assert_eq!(json["rows"], json!({"captured": 9, "merged": 8, "held": 1, "rejected": 0}));
    assert_eq!(
        sheet(&json),
        [
            "h.charge total cashier=7 charge 31.00 30.00 1.00 0 30.00",
            "h.charge total cashier=7 refund -100.00 -100.00 0 0 -100.00",
            "h.charge total cashier=8 charge 7.50 7.50 0 0 7.50",
            "h.payment amount method=CARD charge 10.00 10.00 0 0 10.00",
            "h.payment amount method=CASH charge 27.50 27.50 0 0 27.50",
            "h.payment amount method=CASH refund -100.00 -100.00 0 0 -100.00",
        ]
    );
    assert_eq!((&json["differences"], &json["faults"], &json["missing_batches"]), (&json!([]), &json!([]), &json!([])));
}

#[test]
fn a_cent_added_by_hand_is_named_until_somebody_accepts_it_and_again_when_it_changes_again() {
    let o = till();
    o.window(&DAY);
    o.merge(0);
    assert_eq!(reconcile(&o, 0, &[])["differences"], json!([]));
    o.meanwhile("UPDATE h.payment SET amount = amount + 0.01 WHERE charge_id = 900001 AND no = 2");
    let json = reconcile(&o, 3, &[]);
    let cent = json!([{
        "id": 1, "table": "h.payment", "column": "amount", "group": "method=CARD", "key": {"charge_id": "900001", "no": "2"},
        "expected": "10.00", "found": "10.01",
    }]);
    assert_eq!((&json["differences"], &json["balanced"], &json["accounted"]), (&cent, &json!(false), &json!(true)));
    assert_eq!(sheet(&json)[3], "h.payment amount method=CARD charge 10.00 10.00 0 0 10.01");
    // Its number stays.
    assert_eq!(reconcile(&o, 3, &[])["differences"], cent);

    let json = reconcile(&o, 0, &["--accept", "1", "--why", "typed wrong at the window", "--by", "finance"]);
    assert_eq!((&json["differences"], &json["balanced"]), (&json!([]), &json!(true)));
    let json = reconcile(&o, 0, &[]);
    assert_eq!((&json["accepted"][0]["id"], &json["accepted"][0]["accepted"]["by"]), (&json!(1), &json!("finance")));
    assert_eq!(
        o.rows("SELECT difference, expected, found, by, why FROM his_emergency.accepted"),
        ["1|10.00|10.01|finance|typed wrong at the window"]
    );
    o.work
        .run("his-merge", &["reconcile", "--accept", "9", "--why", "x"])
        .expect(2)
        .says("there is no such difference now");

    o.meanwhile("UPDATE h.payment SET amount = 10.02 WHERE charge_id = 900001 AND no = 2");
    let json = reconcile(&o, 3, &[]);
    assert_eq!((&json["differences"][0]["id"], &json["differences"][0]["found"]), (&json!(1), &json!("10.02")));
    o.meanwhile("UPDATE h.payment SET amount = 10 WHERE charge_id = 900001 AND no = 2");
    assert_eq!(reconcile(&o, 0, &[])["accepted"], json!([]));
}

#[test]
fn a_row_that_is_gone_and_an_amount_in_another_group_are_differences() {
    let o = till();
    o.window(&DAY);
    o.merge(0);
    o.meanwhile(
        "UPDATE h.payment SET method = 'CARD' WHERE charge_id = 900002; DELETE FROM h.payment WHERE charge_id = 900003",
    );
    let json = reconcile(&o, 3, &[]);
    assert_eq!(
        json["differences"],
        json!([
            {"id": 1, "table": "h.payment", "column": "method", "group": "method=CASH", "key": {"charge_id": "900002", "no": "1"}, "expected": "CASH", "found": "CARD"},
            {"id": 2, "table": "h.payment", "column": "amount", "group": "method=CASH", "key": {"charge_id": "900003", "no": "1"}, "expected": "-100.00", "found": null},
        ])
    );
    assert_eq!(
        sheet(&json)[3..],
        [
            "h.payment amount method=CARD charge 10.00 10.00 0 0 17.50",
            "h.payment amount method=CASH charge 27.50 27.50 0 0 20.00",
            "h.payment amount method=CASH refund -100.00 -100.00 0 0 0.00",
        ]
    );
}

#[test]
fn what_the_primary_changed_in_the_gap_in_other_columns_of_a_merged_row_is_no_difference() {
    let o = till();
    // The standby only notes something on rows whose amount and cashier the primary changed meanwhile.
    o.window(&["UPDATE h.charge SET note = 'a' WHERE id = 1", "UPDATE h.charge SET note = 'b' WHERE id = 2"]);
    o.meanwhile("UPDATE h.charge SET total = 120 WHERE id = 1; UPDATE h.charge SET cashier = 9 WHERE id = 2");
    o.merge(0);
    assert_eq!(reconcile(&o, 0, &[])["differences"], json!([]));
    // Afterwards it is one, also in a column that the event left alone.
    o.meanwhile("UPDATE h.charge SET total = 120.01 WHERE id = 1");
    let json = reconcile(&o, 3, &[]);
    assert_eq!(
        json["differences"],
        json!([{"id": 1, "table": "h.charge", "column": "total", "group": "cashier=7", "key": {"id": "1"}, "expected": "120.00", "found": "120.01"}])
    );
}

#[test]
fn a_row_changed_moved_to_another_key_and_deleted_within_the_event_is_read_back_as_it_ended() {
    let o = till();
    o.window(&[
        "INSERT INTO h.charge (patient_id, total) VALUES (1, 5)",
        "UPDATE h.charge SET total = 6 WHERE id = 900001",
        "UPDATE h.charge SET id = 950000, total = 8 WHERE id = 900001",
        "INSERT INTO h.charge (patient_id, total) VALUES (1, 11)",
        "DELETE FROM h.charge WHERE id = 900002",
        "UPDATE h.charge SET cashier = 8 WHERE id = 5",
    ]);
    o.merge(0);
    let json = reconcile(&o, 0, &[]);
    assert_eq!(
        sheet(&json),
        [
            "h.charge total cashier=7 charge 19.00 19.00 0 0 19.00",
            "h.charge total cashier=7 refund -111.00 -111.00 0 0 -111.00",
            "h.charge total cashier=8 charge 100.00 100.00 0 0 100.00",
        ]
    );
    o.meanwhile("INSERT INTO h.charge (id, patient_id, total) VALUES (900002, 1, 12); UPDATE h.charge SET total = 9 WHERE id = 950000");
    let json = reconcile(&o, 3, &[]);
    assert_eq!(
        json["differences"],
        json!([
            {"id": 1, "table": "h.charge", "column": "total", "group": "cashier=7", "key": {"id": "900002"}, "expected": null, "found": "12.00"},
            {"id": 2, "table": "h.charge", "column": "total", "group": "cashier=7", "key": {"id": "950000"}, "expected": "8.00", "found": "9.00"},
        ])
    );
}

#[test]
fn batches_that_do_not_hold_what_their_manifests_say_are_seen() {
    let o = till();
    o.window(&DAY);
    o.work.run("his-export-queue", &[]).expect(0);
    // A manifest that claims a cent more, with sums that fit it: no checksum can tell.
    let dir = o.work.store().join("queue/01-0001/000001");
    let manifest = std::fs::read_to_string(dir.join("manifest.json")).expect("a manifest");
    let forged = manifest.replacen("\"sum\": \"-62.50\"", "\"sum\": \"-62.49\"", 1);
    assert_ne!(manifest, forged, "{manifest}");
    std::fs::write(dir.join("manifest.json"), forged).expect("written");
    crate::support::Program::at(std::path::Path::new("/bin/sh"))
        .args(["-c", "sha256sum manifest.json units.csv 0*.csv | LC_ALL=C sort -k2 > SHA256SUMS"])
        .dir(&dir)
        .run()
        .expect(0);
    o.work.json(3, "his-merge", &["--early"]);
    let json = reconcile(&o, 3, &[]);
    assert_eq!((&json["balanced"], &json["differences"]), (&json!(false), &json!([])));
    assert_eq!(json["faults"], json!(["h.charge total: the batches hold -62.50, their manifests say -62.49"]));
}

#[test]
fn a_batch_that_is_not_merged_yet_leaves_the_sheet_unbalanced_and_one_that_is_lost_is_named() {
    let o = till();
    o.window(&DAY[..1]);
    o.merge(0);
    o.window(&DAY[1..2]);
    o.work.run("his-export-queue", &[]).expect(0);
    let json = reconcile(&o, 3, &[]);
    assert_eq!(json["units"], json!({"captured": 2, "merged": 1, "held": 0, "rejected": 0}));
    assert_eq!(json["faults"][0], "units: captured 2 is not merged 1 + held 0 + rejected 0");
    assert_eq!(sheet(&json)[1], "h.charge total cashier=8 charge 7.50 0 0 0 0");
    o.work.json(0, "his-merge", &["--early"]);
    reconcile(&o, 0, &[]);
    std::fs::rename(o.work.store().join("queue/01-0001/000002"), o.work.path().join("lost")).expect("moved");
    let json = reconcile(&o, 3, &[]);
    assert_eq!((&json["missing_batches"], &json["balanced"]), (&json!([2]), &json!(false)));
    assert!(json["faults"].as_array().expect("a list").contains(&json!("missing in the store: batch 2")), "{json}");
}

#[test]
fn a_charge_linked_to_the_primarys_counts_as_merged_and_its_payments_are_read_back_there() {
    let o = till_with(
        &TABLES.replace("group = [\"cashier\"]", "group = [\"cashier\"]\nsame_as = [\"patient_id\", \"note\"]"),
    );
    o.window(&[
        "INSERT INTO h.charge (patient_id, total, note) VALUES (9, 30, 'x-ray'); INSERT INTO h.payment VALUES (900001, 1, 'CASH', 30)",
    ]);
    o.meanwhile("INSERT INTO h.charge (patient_id, total, note, cashier) VALUES (9, 30, 'x-ray', 8)");
    o.merge(3);
    let id = o.rows("SELECT id FROM his_emergency.conflict WHERE kind = 'twin'");
    o.work.run("his-merge", &["resolve", &id[0], "--take", "link={\"id\":\"6\"}", "--why", "the same x-ray"]).expect(0);
    let json = reconcile(&o, 0, &[]);
    assert_eq!(
        sheet(&json),
        [
            "h.charge total cashier=7 charge 30.00 30.00 0 0 30.00",
            "h.payment amount method=CASH charge 30.00 30.00 0 0 30.00"
        ]
    );
    assert_eq!((&json["linked"][0]["to"], &json["linked"][0]["why"]), (&json!({"id": "6"}), &json!("the same x-ray")));
    o.meanwhile("UPDATE h.payment SET amount = 29.99 WHERE charge_id = 6");
    let json = reconcile(&o, 3, &[]);
    assert_eq!(json["differences"][0]["key"], json!({"charge_id": "6", "no": "1"}));
}

#[test]
fn what_a_later_event_did_to_the_same_row_is_no_difference_of_the_earlier_one() {
    let o = till();
    o.window(&DAY);
    o.merge(0);
    close(&o, 0);
    next_event(&o, 2);
    o.window(&["UPDATE h.charge SET total = 31 WHERE id = 900001"]);
    o.merge(0);
    let first = reconcile(&o, 0, &["01-0001"]);
    assert_eq!((&first["event"], &first["units"]["captured"]), (&json!("01-0001"), &json!(3)));
    let second = reconcile(&o, 0, &[]);
    assert_eq!(
        (&second["event"], sheet(&second)),
        (&json!("01-0002"), vec!["h.charge total cashier=7 charge 1.00 1.00 0 0 1.00".to_owned()])
    );
    o.work
        .run("his-merge", &["reconcile", "01-0099"])
        .expect(2)
        .says("neither the store nor the primary's ledger knows it");
}

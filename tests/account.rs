//! P10 and P12: an account that does not come out even is never called done, whichever of its sums it is.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::Program;
use crate::support::workplace::DB;
use crate::switch::Hospital;

/// What makes one sum wrong in the ledger, and what puts it right again.
const WRONG: [(&str, &str, &str); 4] = [
    (
        "a cent of the money",
        "UPDATE his_emergency.unit_money SET amount = amount + 0.01",
        "UPDATE his_emergency.unit_money SET amount = amount - 0.01",
    ),
    ("a row", "UPDATE his_emergency.unit SET rows = rows + 1", "UPDATE his_emergency.unit SET rows = rows - 1"),
    (
        "a unit, without rows or money",
        "INSERT INTO his_emergency.unit (event, generation, xid, batch, status, rows, run) SELECT event, generation, 1, batch, status, 0, run FROM his_emergency.unit",
        "DELETE FROM his_emergency.unit WHERE xid = 1",
    ),
    (
        "the closing record",
        "UPDATE his_emergency.batch SET closing = replace(closing, '\"units\":1', '\"units\":2')",
        "UPDATE his_emergency.batch SET closing = replace(closing, '\"units\":2', '\"units\":1')",
    ),
];

#[test]
fn p10_an_account_in_which_a_cent_a_row_a_unit_or_the_closing_record_is_wrong_does_not_balance() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    hospital.switch(0, &["primary"]);
    let work = &hospital.work;
    for (what, wrong, right) in WRONG {
        hospital.primary.execute(DB, wrong);
        assert_eq!(work.json(0, "his-merge", &["status"])["balanced"], false, "{what}");
        let ran = work.run("his-merge", &[]);
        assert_eq!(ran.code, 3, "{what}: {}", ran.shown());
        assert!(ran.stdout.contains("captured is not merged + held + rejected"), "{what}: {}", ran.shown());
        hospital.primary.execute(DB, right);
        assert_eq!(work.json(0, "his-merge", &[])["balanced"], true, "{what}");
    }
}

#[test]
fn p12_a_return_with_an_account_that_does_not_balance_is_exit_3_and_the_windows_are_back() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    hospital.work.run("his-export-queue", &[]).expect(0);
    hospital.work.run("his-merge", &["--early"]).expect(0);
    let (_, wrong, right) = WRONG[0];
    hospital.primary.execute(DB, wrong);
    let ran = hospital.work.run("his-switch", &["primary"]).expect(3);
    assert!(ran.stdout.contains("captured is not merged + held + rejected"), "{}", ran.shown());
    assert_eq!(hospital.side(), "primary");
    hospital.primary.execute(DB, right);
    hospital.work.run("his-merge", &[]).expect(0);
}

#[test]
fn p12_batches_that_do_not_come_to_the_closing_record_are_damage() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    hospital.switch(0, &["primary"]);
    hospital.work.run("his-export-queue", &["verify"]).expect(0);
    let queue = hospital.work.store().join("queue/01-0001");
    let last = fs::read_dir(&queue).unwrap().map(|e| e.unwrap().path()).max().expect("batches");
    let path = last.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["closing"]["totals"]["units"] = json!(2);
    fs::write(&path, manifest.to_string()).unwrap();
    // Every checksum holds.
    let sums = "rm SHA256SUMS; sha256sum *.csv manifest.json > .sums; mv .sums SHA256SUMS";
    Program::at(Path::new("/bin/sh")).args(["-c", sums]).dir(&last).run().expect(0);
    let ran = hospital.work.run("his-export-queue", &["verify"]).expect(5);
    assert!(ran.stdout.contains("do not come to the closing record"), "{}", ran.shown());
}

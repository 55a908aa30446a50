//! What patients' rows said is kept no longer than the profile says, and the proof of what was merged stays.

use std::fs;
use std::path::Path;

use super::{TABLES, close, next_event, reconcile, till_with};
use crate::opened::Opened;
use serde_json::json;

const NAME: &str = "欧阳娜娜";

/// All that the ledger holds, as text.
const LEDGER: &str = "SELECT string_agg(query_to_xml(format('SELECT * FROM his_emergency.%I', relname), true, false, '')::text, '' ORDER BY relname)
  FROM pg_class WHERE relnamespace = 'his_emergency'::regnamespace AND relkind = 'r'";

/// Files below `dir` that have the name of the patient in them.
fn with_name(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(with_name(&path));
        } else if String::from_utf8_lossy(&fs::read(&path).expect("ours")).contains(NAME) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn signed(o: &Opened) {
    for (role, by) in [("finance", "Li"), ("it", "Wang")] {
        o.work.run("his-merge", &["sign-off", "01-0001", "--as", role, "--by", by]).expect(0);
    }
}

/// An event with a new patient, a conflict that was decided and a difference that was accepted: names are everywhere.
fn settled() -> Opened {
    let mut o = till_with(TABLES);
    o.work.set("store", "mirror", "\"mirror\"");
    o.window(&[&format!("INSERT INTO h.patient (name) VALUES ('{NAME}'); INSERT INTO h.charge (patient_id, total, note) VALUES (900001, 30, '{NAME}')")]);
    o.window(&[&format!("UPDATE h.charge SET total = 101, note = '{NAME}' WHERE id = 4")]);
    o.meanwhile(&format!("UPDATE h.charge SET total = 99, note = '{NAME} junior' WHERE id = 4"));
    o.merge(3);
    close(&o, 3);
    let id = o.rows("SELECT id FROM his_emergency.conflict");
    let why = ["--why", "typed twice", "--money", "none"];
    o.work.run("his-merge", &[&["resolve", &id[0], "--take", "primary"], &why[..]].concat()).expect(0);
    o.meanwhile("UPDATE h.charge SET total = 31 WHERE id = 900001");
    reconcile(&o, 3, &[]);
    reconcile(&o, 0, &["--accept", "1", "--why", "typed wrong"]);
    o
}

#[test]
fn what_patients_rows_said_is_wiped_when_its_time_has_come_and_what_proves_the_merge_stays() {
    let mut o = settled();
    o.work
        .run("his-merge", &["wipe"])
        .expect(2)
        .says("the profile does not say after what time")
        .says("set wipe_after in [store]");
    o.work.set("store", "wipe_after", "\"1ms\"");
    let early = o.work.json(0, "his-merge", &["wipe"]);
    assert_eq!(early, json!({"wiped": [], "waiting": [{"event": "01-0001", "from": null}], "dry_run": false}));
    signed(&o);
    o.work.set("store", "wipe_after", "\"1h\"");
    let early = o.work.json(0, "his-merge", &["wipe"]);
    assert_eq!((&early["wiped"], &early["waiting"][0]["from"].is_string()), (&json!([]), &true));

    o.work.set("store", "wipe_after", "\"1ms\"");
    let [store, mirror] = ["store", "mirror"].map(|dir| o.work.path().join(dir));
    let ledger = o.primary.value("his", LEDGER);
    assert!(ledger.contains(NAME) && !with_name(&store).is_empty());
    assert_eq!(with_name(&store).len(), with_name(&mirror).len());
    let would = o.work.json(0, "his-merge", &["wipe", "--dry-run"])["wiped"][0].clone();
    assert_eq!(o.primary.value("his", LEDGER), ledger);
    assert!(!with_name(&store).is_empty(), "a dry run wiped");
    let sums = fs::read_to_string(store.join("queue/01-0001/000001/SHA256SUMS")).expect("sums");

    let done = o.work.json(0, "his-merge", &["wipe"])["wiped"][0].clone();
    assert_eq!(
        (&would, &done["images"], &done["changes"], &done["accepted"]),
        (&done, &json!(1), &json!(1), &json!(1))
    );
    assert_eq!([with_name(&store), with_name(&mirror)], [Vec::<String>::new(), Vec::new()]);
    let after = o.primary.value("his", LEDGER);
    assert!(!after.contains(NAME), "{after}");
    // The proof: what the rows were, who wiped them, and that they are the ones the ledger knows.
    let batch = store.join("queue/01-0001/000001");
    assert_eq!(fs::read_to_string(batch.join("SHA256SUMS")).expect("sums"), sums);
    let mark: serde_json::Value =
        serde_json::from_slice(&fs::read(batch.join("WIPED")).expect("a mark")).expect("as JSON");
    assert_eq!((&mark["event"], mark["by"].is_string()), (&json!("01-0001"), true));
    o.work.run("his-export-queue", &["verify"]).expect(0);
    o.work.run("his-merge", &[]).expect(0);
    assert_eq!(o.work.json(0, "his-merge", &["status"])["balanced"], true);
    o.work
        .run("his-merge", &["reconcile"])
        .expect(5)
        .says("its rows were wiped")
        .says("its manifest and in the ledger");
    let again = o.work.json(0, "his-merge", &["wipe"]);
    assert_eq!(again, json!({"wiped": [], "waiting": [], "dry_run": false}));
    let journal = fs::read_to_string(store.join("journal.jsonl")).expect("a journal");
    assert_eq!(journal.lines().filter(|l| l.contains("\"act\":\"wipe\"")).count(), 1);

    // Life goes on.
    next_event(&o, 2);
    o.window(&["INSERT INTO h.charge (patient_id, total) VALUES (2, 5)"]);
    o.merge(0);
    assert_eq!(o.rows("SELECT total FROM h.charge ORDER BY id DESC LIMIT 1"), ["5.00"]);
}

#[test]
fn a_wipe_that_was_killed_is_finished_by_the_next_one() {
    let mut o = settled();
    signed(&o);
    o.work.set("store", "wipe_after", "\"1ms\"");
    // Killed between the primary and the batches, with one file gone.
    let batch = o.work.store().join("queue/01-0001/000001");
    fs::write(batch.join("WIPED"), "{}\n").expect("written");
    fs::remove_file(batch.join("0001_h.patient.csv")).expect("there");
    o.work.run("his-merge", &[]).expect(0);
    o.work.run("his-merge", &["wipe"]).expect(0).says("wiped event 01-0001");
    assert_eq!(
        [with_name(&o.work.store()), with_name(&o.work.path().join("mirror"))],
        [Vec::<String>::new(), Vec::new()]
    );
    o.work.run("his-merge", &["wipe"]).expect(0).says("nothing to wipe");
}

#[test]
fn p5_a_batch_that_says_it_was_wiped_and_is_not_merged_is_refused() {
    let o = till_with(TABLES);
    o.window(&["INSERT INTO h.charge (patient_id, total) VALUES (1, 30)"]);
    o.work.run("his-export-queue", &[]).expect(0);
    let batch = o.work.store().join("queue/01-0001/000001");
    fs::write(batch.join("WIPED"), "{}\n").expect("written");
    let rows = fs::read_dir(&batch).expect("a batch").flatten().map(|e| e.path());
    let rows: Vec<_> = rows.filter(|p| p.to_string_lossy().ends_with("_h.charge.csv")).collect();
    assert_eq!(rows.len(), 1);
    fs::remove_file(&rows[0]).expect("there");
    o.work.run("his-merge", &["--early"]).expect(5).says("its rows were wiped").says("an offline copy");
    assert_eq!(o.rows("SELECT count(*) FROM h.charge"), ["5"]);
}

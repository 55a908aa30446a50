//! The receipt, and the store that it settles.

use std::fs;

use serde_json::{Value, json};

use super::{MEANWHILE, WINDOWS, World};
use crate::support::Program;
use crate::support::workplace::DB;

#[test]
fn a_receipt_settles_the_store_and_the_script_run_again_changes_nothing() {
    let w = World::new();
    w.window(&WINDOWS);
    w.primary.execute(DB, MEANWHILE);
    let batch = w.export();
    let script = w.script(&[&batch]);
    // Written again it is the same, and over another file it is not written.
    let path = script.to_string_lossy().into_owned();
    w.work.run("his-merge", &["sql", &batch, "--output", &path]).expect(0);
    fs::write(w.receipt(), "something else").expect("a file");
    w.work
        .run("his-merge", &["sql", &batch, "--output", &w.receipt().to_string_lossy()])
        .expect(4)
        .says("another file is there");
    let text = fs::read_to_string(&script).expect("a script");
    assert_eq!(w.work.run("his-merge", &["sql", &batch]).expect(0).stdout, text);

    w.psql(&script).expect(0).says("Now carry the receipt back");
    let (once, receipt) = (w.everything(), fs::read_to_string(w.receipt()).expect("a receipt"));
    assert_eq!(receipt.lines().count(), 4, "{receipt}");
    w.psql(&script).expect(0);
    assert_eq!((w.everything(), fs::read_to_string(w.receipt()).expect("a receipt")), (once.clone(), receipt.clone()));

    // In one session twice, as somebody does who reads it in by hand.
    let files = ["-X", "-f", &path, "-f", &path, "-d", &w.primary.url(DB)].map(str::to_owned);
    let twice = Program::at(&crate::support::server::bin("psql")).args(files).run().expect(0);
    assert_eq!(twice.stdout.matches(receipt.trim_end()).count(), 2, "{}", twice.stdout);
    assert_eq!(w.everything(), once);

    // With the primary out of reach, the receipt stands in for it.
    w.primary.stop_fast();
    w.work.run("his-merge", &["status"]).expect(6);
    let settled = w.settle(3);
    assert_eq!((&settled["balanced"], &settled["receipt"]["new"]), (&json!(true), &json!(true)));
    assert_eq!(settled["units"]["captured"], WINDOWS.len());
    let conflicts = settled["conflicts"].as_array().expect("a list").len();
    assert_eq!(once.1["conflict"].len(), conflicts);
    let store =
        (fs::read(w.work.store().join("state.json")).unwrap(), fs::read(w.work.store().join("journal.jsonl")).unwrap());
    assert_eq!(w.settle(3)["receipt"]["new"], json!(false));
    assert_eq!(
        store,
        (fs::read(w.work.store().join("state.json")).unwrap(), fs::read(w.work.store().join("journal.jsonl")).unwrap())
    );
    let status = w.work.json(0, "his-merge", &["status"]);
    assert_eq!((&status["units"], &status["money"]), (&settled["units"], &settled["money"]));
    let switch = w.work.json(0, "his-switch", &["status"]);
    assert_eq!(switch["units"]["merged"], settled["units"]["merged"]);
    let state: Value = serde_json::from_slice(&store.0).expect("JSON");
    assert_eq!(state["merge_run"], 1);

    // A program that reaches it later finds everything done, and goes on.
    w.primary.start_again();
    let merged = w.work.json(3, "his-merge", &["--early"]);
    assert_eq!((&merged["new"], &merged["units"]), (&json!({"merged": 0, "held": 0}), &settled["units"]));
    assert_eq!(w.everything(), once);
    w.window(&["UPDATE h.patient SET phone = 'next' WHERE id = 15"]);
    w.export();
    assert_eq!(w.work.json(3, "his-merge", &["--early"])["new"], json!({"merged": 1, "held": 0}));
}

#[test]
fn a_receipt_that_is_damaged_or_of_other_batches_is_exit_5_and_one_without_held_units_exit_0() {
    let w = World::new();
    w.window(&["UPDATE h.patient SET phone = 'fine' WHERE id = 8"]);
    let batch = w.export();
    w.psql(&w.script(&[&batch])).expect(0);
    let receipt = fs::read_to_string(w.receipt()).expect("a receipt");
    let give = |text: &str| {
        let path = w.work.path().join("given.txt");
        fs::write(&path, text).expect("a file");
        w.work.run("his-merge", &["receipt", &path.to_string_lossy()])
    };
    let state = || fs::read(w.work.store().join("state.json")).unwrap();
    let before = state();
    give("").expect(5).says("there is none in the file");
    give(&receipt.replace("\"units\" : 1", "\"units\" : 2")).expect(5).says("its SHA-256 is");
    give(&receipt[..receipt.len() - 40]).expect(5).says("it is not whole");
    w.work.run("his-merge", &["receipt", "/nowhere"]).expect(2);
    // Whole, but of another batch of that number.
    let told = receipt.lines().nth(1).expect("a line");
    let other = told.replace("\"sha256\" : \"", "\"sha256\" : \"0");
    let sum = w.primary.value(DB, &format!("SELECT encode(sha256(convert_to($r${other}$r$, 'UTF8')), 'hex')"));
    let old = receipt.lines().nth(2).expect("a line");
    give(&receipt.replace(told, &other).replace(old, &format!("sha256 {sum}"))).expect(5).says("expected");
    assert_eq!(state(), before);
    // The line ends of another system, and what psql says without -q, do not matter.
    give(&format!("SET\r\n{}\r\n", receipt.replace('\n', "\r\n"))).expect(0).says("is noted");
    give(&receipt).expect(0).says("was noted before");
    // In the store it may be damaged too.
    fs::write(w.work.store().join("receipts/01-0001.txt"), "x").expect("a file");
    w.primary.stop_fast();
    w.work.run("his-merge", &["status"]).expect(5);
    give(&receipt).expect(5).says("his-merge receipt");
}

#[test]
fn a_whole_event_goes_by_script_and_what_is_older_is_not_loaded_after_its_receipt() {
    let w = World::new();
    w.window(&[
        "UPDATE h.patient SET phone = 'fine' WHERE id = 8",
        "INSERT INTO h.charge (patient_id, total) VALUES (1, 5)",
    ]);
    w.export();
    w.window(&["INSERT INTO h.charge (patient_id, total) VALUES (1, 6)"]);
    w.work.run("his-switch", &["primary", "--merge-later"]).expect(3);
    let queue = w.work.store().join("queue/01-0001");
    let mut batches: Vec<String> =
        fs::read_dir(queue).expect("a queue").flatten().map(|d| d.path().to_string_lossy().into_owned()).collect();
    batches.sort();
    // In two scripts, the second with a batch that is nothing but the end of the event.
    assert_eq!(batches.len(), 3);
    w.psql(&w.script(&[&batches[0]])).expect(0);
    let first = w.settle(3);
    assert_eq!((&first["balanced"], &first["units"]["captured"]), (&json!(false), &json!(3)));
    let old = fs::read_to_string(w.receipt()).expect("a receipt");
    w.psql(&w.script(&[&batches[1], &batches[2]])).expect(0);
    let whole = w.settle(0);
    assert_eq!(
        (&whole["balanced"], &whole["closed"], &whole["units"]["merged"]),
        (&json!(true), &json!(true), &json!(3))
    );
    // The earlier receipt, given late, takes nothing back.
    fs::write(w.receipt(), old).expect("a file");
    w.work.run("his-merge", &["receipt", &w.receipt().to_string_lossy()]).expect(4).says("has a later receipt already");
    w.primary.stop_fast();
    let status = w.work.json(0, "his-merge", &["status"]);
    assert_eq!((&status["balanced"], &status["units"]), (&json!(true), &whole["units"]));
    let id = w.work.json(0, "his-snapshot", &["list"])["snapshots"][0]["snapshot"].as_str().expect("an id").to_owned();
    w.work.run("his-load-standby", &[&id]).expect(4).says("older than the last merge");
    w.primary.start_again();
    assert_eq!(w.work.json(0, "his-merge", &[])["new"], json!({"merged": 0, "held": 0}));
}

//! Numbers without a database: handed out once, also after a crash, and on no copy.

use super::{FILED, PROGRAM, without_servers};
use crate::support::{Workplace, copy};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::Duration;

fn issue(work: &Workplace, count: usize) -> Value {
    work.json(0, PROGRAM, &["numbers", "issue", "charge", "--count", &count.to_string(), "--to", "W01"])
}

#[test]
fn p11_every_number_handed_out_ends_and_what_has_not_is_listed() {
    let (_primary, _standby, work) = without_servers(FILED);
    let made = issue(&work, 5);
    assert_eq!((&made["first"], &made["last"]), (&json!("S01-000001-97"), &json!("S01-000005-85")));
    assert_eq!(issue(&work, 2)["first"], "S01-000006-82");
    // As it is read from paper: without hyphens, in small letters.
    work.json(0, PROGRAM, &["numbers", "void", "s0100000294", "--why", "spoiled"]);
    work.json(0, PROGRAM, &["numbers", "missing", "S01-000004-88", "S01-000005-85", "--why", "not in the box"]);
    let status = work.json(0, PROGRAM, &["status", "--minutes-per-slip", "3", "--people", "2"]);
    assert_eq!(status["slips"], json!({"issued": 7, "keyed": 0, "void": 1, "missing": 2, "outstanding": 4}));
    assert_eq!(
        status["kinds"][0]["outstanding"],
        json!([
            {"first": "S01-000001-97", "last": "S01-000001-97", "to": "W01"},
            {"first": "S01-000003-91", "last": "S01-000003-91", "to": "W01"},
            {"first": "S01-000006-82", "last": "S01-000007-79", "to": "W01"},
        ])
    );
    assert_eq!(status["keying"]["hours"], 0.1);
    // One has turned up; the same again changes nothing.
    for changed in [1, 0] {
        let json = work.json(0, PROGRAM, &["numbers", "reopen", "S01-000004-88", "--why", "in a pocket"]);
        assert_eq!(json["changed"], changed);
    }
    let blocks = work.json(0, PROGRAM, &["numbers", "status"])["blocks"].clone();
    assert_eq!(blocks[0]["slips"], json!({"issued": 5, "keyed": 0, "void": 1, "missing": 1, "outstanding": 3}));
}

#[test]
fn a_mistyped_number_and_one_that_nobody_has_are_refused() {
    let (_primary, _standby, work) = without_servers(FILED);
    issue(&work, 2);
    let void = |number: &str| work.run(PROGRAM, &["numbers", "void", number, "--why", "x"]);
    void("S01-000002-95").expect(2).says("cannot use slip 'S01-000002-95': its check digits do not fit");
    void("X01-000002-25").expect(2).says("it begins as no kind of slip of the profile does");
    void("S01-000003-91").expect(4).says("'S01-000003-91' was never issued");
    work.run(PROGRAM, &["numbers", "issue", "refund", "--count", "1", "--to", "W01"])
        .expect(2)
        .says("its kinds are: charge, callback");
}

#[test]
fn p11_no_number_is_handed_out_twice_by_two_at_once_or_by_runs_that_are_killed() {
    let (_primary, _standby, work) = without_servers(FILED);
    let mut told = Vec::new();
    for round in 0..40_u64 {
        let running = work.start(PROGRAM, &["--json", "numbers", "issue", "charge", "--count", "3", "--to", "W01"]);
        thread::sleep(Duration::from_millis(round % 20));
        let ran = running.kill();
        if ran.code == 0 {
            told.push(ran.json());
        }
    }
    // Two that do not wait for each other: one of them may be told to come again.
    let both: Vec<_> = (0..2)
        .map(|_| work.start(PROGRAM, &["--json", "numbers", "issue", "charge", "--count", "3", "--to", "W02"]))
        .collect();
    for ran in both.into_iter().map(crate::support::Running::wait) {
        assert!(ran.code == 0 || ran.code == 7, "{}", ran.shown());
        told.extend((ran.code == 0).then(|| ran.json()));
    }
    told.push(issue(&work, 3));
    let firsts: BTreeSet<&str> = told.iter().map(|t| t["first"].as_str().expect("a number")).collect();
    assert_eq!(firsts.len(), told.len());
    let blocks = work.json(0, PROGRAM, &["numbers", "status"])["blocks"].clone();
    let registered: Vec<&str> =
        blocks.as_array().expect("a list").iter().map(|b| b["first"].as_str().unwrap()).collect();
    assert_eq!(registered.iter().collect::<BTreeSet<_>>().len(), registered.len());
    assert!(firsts.iter().all(|f| registered.contains(f)), "{firsts:?} {registered:?}");
}

#[test]
fn p11_a_line_that_a_crash_cut_off_was_told_to_nobody_and_goes() {
    let (_primary, _standby, work) = without_servers(FILED);
    issue(&work, 3);
    let path = work.store().join("paper/numbers.jsonl");
    let whole = fs::read_to_string(&path).expect("a register");
    fs::write(&path, format!("{whole}{{\"at\":\"2026-")).expect("written");
    assert_eq!(work.json(0, PROGRAM, &["status"])["slips"]["issued"], 3);
    assert_eq!(issue(&work, 1)["first"], "S01-000004-88");
    assert_eq!(work.json(0, PROGRAM, &["status"])["slips"]["issued"], 4);
}

#[test]
fn a_register_that_was_changed_is_damaged_and_nothing_is_handed_out() {
    let (_primary, _standby, work) = without_servers(FILED);
    issue(&work, 3);
    issue(&work, 3);
    let path = work.store().join("paper/numbers.jsonl");
    let text = fs::read_to_string(&path).expect("a register").replacen("\"last\":3", "\"last\":2", 1);
    fs::write(&path, text).expect("written");
    for args in [&["numbers", "issue", "charge", "--count", "1", "--to", "W01"][..], &["status"]] {
        work.run(PROGRAM, args).expect(5).says("numbers.jsonl': line 3 does not follow from the line before");
    }
}

#[test]
fn p11_a_copy_of_the_store_hands_nothing_out_until_somebody_answers_for_it() {
    let (_primary, _standby, work) = without_servers(FILED);
    issue(&work, 3);
    let (store, aside) = (work.store(), work.path().join("aside"));
    copy(&store, &aside);
    issue(&work, 3);
    // Put back as it was before the last three were handed out.
    fs::remove_dir_all(&store).expect("removed");
    copy(&aside, &store);
    let args = ["numbers", "issue", "charge", "--count", "1", "--to", "W01"];
    let ran = work.run(PROGRAM, &args).expect(4).says("its directory was put back from a copy");
    assert!(ran.hint().contains("--moved WHY"), "{}", ran.hint());
    let made = work.json(0, PROGRAM, &[&args[..], &["--moved", "the disk was replaced"]].concat());
    assert_eq!(made["first"], "S01-010004-61");
    assert_eq!(issue(&work, 1)["first"], "S01-010005-58");
}

#[test]
fn p11_a_store_put_back_from_a_backup_takes_over_what_the_mirror_knows() {
    let (_primary, _standby, mut work) = without_servers(FILED);
    let mirror = work.path().join("mirror");
    work.set("store", "mirror", &format!("\"{}\"", mirror.display()));
    issue(&work, 3);
    let (register, aside) = (work.store().join("paper/numbers.jsonl"), work.path().join("aside"));
    copy(&register, &aside);
    issue(&work, 3);
    assert_eq!(fs::read(&register).expect("ours"), fs::read(mirror.join("paper/numbers.jsonl")).expect("theirs"));
    fs::remove_file(&register).expect("removed");
    copy(&aside, &register);
    assert_eq!(issue(&work, 1)["first"], "S01-000007-79");
    // Two that have nothing to do with each other.
    fs::write(&register, "").expect("written");
    work.run(PROGRAM, &["status"]).expect(0);
    fs::write(&register, "another\nregister, and a longer one than the mirror has it\n".repeat(40)).expect("written");
    work.run(PROGRAM, &["status"]).expect(5).says("it and its mirror say different things");
}

#[test]
fn slips_that_are_filed_need_no_database_and_a_call_that_was_not_made_is_listed_until_it_is() {
    let (_primary, _standby, work) = without_servers(FILED);
    work.json(0, PROGRAM, &["numbers", "issue", "callback", "--count", "3", "--to", "ward"]);
    let slips: Vec<String> = (1..=3).map(|n| super::reference::number("H", n)).collect();
    let text = format!(
        "Slip no,Written at,Called at\n{},2026-11-20 9:00,2026-11-20 15:30\n{},2026-11-20 9:05,\n{},2026-11-20 9:06,\n",
        slips[0], slips[1], slips[2]
    );
    fs::write(work.path().join("calls.csv"), text).expect("written");
    let done = work.json(0, PROGRAM, &["import", "calls.csv"]);
    assert_eq!(done["slips"]["imported"], 3);
    assert_eq!(work.json(0, PROGRAM, &["status"])["to_call"], json!([slips[1], slips[2]]));
    work.json(0, PROGRAM, &["numbers", "called", &slips[2]]);
    let status = work.json(0, PROGRAM, &["status"]);
    assert_eq!((&status["to_call"], &status["slips"]["outstanding"]), (&json!([slips[1]]), &json!(0)));
    assert_eq!(work.json(0, PROGRAM, &["import", "calls.csv"])["slips"]["already"], 3);
}

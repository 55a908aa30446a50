//! Two stores of one site, a store that is copied while it is worked on, one that is lost.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::workplace::DB;
use crate::support::{Workplace, copy};
use crate::switch::Hospital;

/// Another workplace with the same profile, and the store that is given to it.
fn second(h: &Hospital, store: Option<&Path>) -> Workplace {
    let other = h.work.second();
    if let Some(store) = store {
        let _ = fs::remove_dir_all(other.store());
        copy(store, &other.store());
    }
    other
}

#[test]
fn two_stores_of_one_site_never_give_one_epoch_twice_nor_merge_into_each_others_event() {
    let h = Hospital::new();
    h.work.run("his-switch", &["standby", "--reason", "test"]).expect(0);
    h.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (1, 'first')");
    // Somebody sets the toolkit up a second time, on another machine.
    let other = second(&h, None);
    for (program, args) in [
        ("his-switch", &["standby", "--reason", "from the other machine"][..]),
        ("his-switch", &["primary"]),
        ("his-export-queue", &[]),
        ("his-load-standby", &[]),
        ("his-snapshot", &["-q"]),
        ("his-load-standby", &[]),
    ] {
        let ran = other.run(program, args);
        println!("{}", ran.shown());
        assert!(matches!(ran.code, 0 | 3 | 4), "{}", ran.shown());
        let status = h.work.json(0, "his-switch", &["status"]);
        assert_eq!((&status["mode"], &status["event"]), (&"standby".into(), &"01-0001".into()), "{}", ran.what);
        h.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (0, 'first')");
    }
    h.work.run("his-switch", &["primary"]).expect(0);
    // Afterwards the other one does an emergency of its own.
    other.run("his-snapshot", &["-q"]).expect(0);
    other.run("his-load-standby", &["-q"]).expect(0);
    other.run("his-switch", &["standby", "--reason", "test"]).expect(0);
    h.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (2, 'second')");
    other.run("his-switch", &["primary"]).expect(0);
    assert_eq!(
        h.primary.rows(DB, "SELECT who, sum(total) FROM op.charge WHERE who <> 'before' GROUP BY 1 ORDER BY 1"),
        ["first|1.0000", "second|2.0000"]
    );
    assert_eq!(h.primary.rows(DB, "SELECT DISTINCT event FROM his_emergency.unit ORDER BY 1"), ["01-0001", "01-0002"]);
    assert_eq!(h.primary.value(DB, "SELECT count(*) = count(DISTINCT id) FROM op.charge"), "t");
}

#[test]
fn p4_a_store_that_is_copied_while_it_is_worked_on_is_whole_or_says_that_it_is_not() {
    let h = Hospital::new();
    h.work.run("his-switch", &["standby", "--reason", "test"]).expect(0);
    let end = AtomicBool::new(false);
    let copies = h.work.path().join("copies");
    fs::create_dir(&copies).expect("made");
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !end.load(Ordering::Relaxed) {
                // What goes away meanwhile is missing in it.
                let to = copies.join(number.to_string());
                let mut cp = Command::new("cp");
                cp.arg("-a").arg(h.work.store()).arg(to).stderr(Stdio::null()).status().expect("cp can be started");
                number += 1;
            }
        });
        for turn in 0..12 {
            h.standby.execute(DB, &format!("INSERT INTO op.charge (total, who) VALUES (1, 'turn {turn}')"));
            h.work.run("his-export-queue", &["-q"]).expect(0);
            h.work.run("his-merge", &["--early", "-q"]).expect(0);
        }
        h.work.run("his-switch", &["primary"]).expect(0);
        end.store(true, Ordering::Relaxed);
    });
    let count = fs::read_dir(&copies).expect("copies").count();
    assert!(count > 10, "only {count} copies");
    for number in (0..count).step_by(count.div_ceil(20)) {
        let other = second(&h, Some(&copies.join(number.to_string())));
        // Each reader takes it whole, or refuses it by name.
        for (program, args) in [
            ("his-export-queue", &["verify"][..]),
            ("his-snapshot", &["verify", "--all"]),
            ("his-switch", &["status"]),
            ("his-merge", &["--early"]),
        ] {
            let ran = other.run(program, args);
            // 2: it was copied before there was a batch.
            assert!(matches!(ran.code, 0 | 2 | 3 | 4 | 5), "copy {number}: {}", ran.shown());
        }
    }
    assert_eq!(h.primary.value(DB, "SELECT count(*), sum(total) FROM op.charge WHERE who LIKE 'turn%'"), "12|12.0000");
}

/// An event of which one charge is exported and one is not.
fn half_exported() -> Hospital {
    let mut h = Hospital::new();
    h.work.set("store", "mirror", "\"mirror\"");
    h.load();
    h.work.run("his-switch", &["standby", "--reason", "test"]).expect(0);
    h.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (1, 'exported')");
    h.work.run("his-export-queue", &[]).expect(0);
    h
}

const EXPORTED: &str =
    "SELECT who, sum(total), count(DISTINCT id) FROM op.charge WHERE who <> 'before' GROUP BY 1 ORDER BY 1";

/// Back on the primary, signed off, and the next emergency with an epoch and numbers that were not there before.
fn ends_well(h: &Hospital, merged: &[&str]) {
    assert_eq!(h.primary.rows(DB, EXPORTED), merged);
    h.work.run("his-merge", &["reconcile"]).expect(0);
    let last: i64 = h.primary.value(DB, "SELECT max(id) FROM op.charge").parse().expect("a number");
    h.load();
    h.work.run("his-switch", &["standby", "--reason", "again"]).expect(0);
    assert_eq!(h.work.json(0, "his-switch", &["status"])["event"], "01-0002");
    h.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (4, 'next')");
    h.work.run("his-switch", &["primary"]).expect(0);
    let next: i64 = h.primary.value(DB, "SELECT id FROM op.charge WHERE who = 'next'").parse().expect("a number");
    assert!(next > last, "{next} was given after {last}");
}

#[test]
fn p6_a_store_that_is_lost_is_put_back_from_its_mirror_and_nothing_exported_is_lost() {
    let h = half_exported();
    h.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (2, 'later')");
    fs::remove_dir_all(h.work.store()).expect("it is there");
    copy(&h.work.path().join("mirror"), &h.work.store());
    assert_eq!(h.work.json(0, "his-switch", &["status"])["event"], "01-0001");
    h.work.run("his-export-queue", &[]).expect(0);
    h.work.run("his-switch", &["primary"]).expect(0);
    ends_well(&h, &["exported|1.0000|1", "later|2.0000|1"]);
}

#[test]
fn p6_a_mirror_that_is_lost_is_made_again_with_everything_in_it() {
    let h = half_exported();
    let mirror = h.work.path().join("mirror");
    fs::remove_dir_all(&mirror).expect("it is there");
    h.work.run("his-export-queue", &[]).expect(0);
    for file in ["queue/01-0001/000001/SHA256SUMS", "journal.jsonl", "state.json"] {
        assert_eq!(
            fs::read(mirror.join(file)).expect("again"),
            fs::read(h.work.store().join(file)).expect("ours"),
            "{file}"
        );
    }
    h.work.run("his-switch", &["primary"]).expect(0);
    ends_well(&h, &["exported|1.0000|1"]);
}

#[test]
fn p6_a_standby_that_is_lost_takes_only_what_was_not_exported_and_says_so() {
    let h = half_exported();
    h.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (2, 'later')");
    h.standby.stop_immediate();
    let ran = h.work.run("his-switch", &["primary"]);
    assert_ne!(ran.code, 0, "{}", ran.shown());
    h.work.run("his-merge", &["--early"]).expect(0);
    assert_eq!(h.primary.rows(DB, EXPORTED), ["exported|1.0000|1"]);
    let ran = h.work.run("his-switch", &["primary", "--standby-lost", "--why", "its disk broke"]);
    println!("{}", ran.shown());
    ran.expect(3);
}

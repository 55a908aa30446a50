//! What cron runs all day, in the words of the sample's crontab, where the profile asks for deltas.

use std::fs;
use std::path::Path;

use super::Hospital;
use crate::support::workplace::DB;
use crate::support::{Program, Ran, assert_same_tables};
use serde_json::{Value, json};

/// The command of the crontab's only line that has these words.
fn line(words: &str) -> String {
    let crontab = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/crontab");
    let text = fs::read_to_string(crontab).expect("the sample");
    let found: Vec<&str> = text.lines().filter(|l| !l.starts_with('#') && l.contains(words)).collect();
    assert_eq!(found.len(), 1, "{words}: {found:?}");
    found[0].split_whitespace().skip(5).collect::<Vec<_>>().join(" ")
}

fn run(h: &Hospital, words: &str) -> Ran {
    let ours = Program::path("his-snapshot");
    let path = format!("{}:/usr/bin:/bin", ours.parent().expect("a directory").display());
    let shell = Program::at(Path::new("/bin/sh")).args(["-c", &line(words)]);
    shell.env("PATH", path).env("HIS_CONFIG", h.work.config()).dir(h.work.path()).run()
}

/// Cron mails whatever a command says, so on a good day it says nothing.
fn cron(h: &Hospital, words: &str) {
    let ran = run(h, words).expect(0);
    assert_eq!((&*ran.stdout, &*ran.stderr), ("", ""), "{words}");
}

fn snapshots(h: &Hospital) -> Vec<Value> {
    h.work.json(0, "his-snapshot", &["list"])["snapshots"].as_array().expect("a list").clone()
}

#[test]
fn a_snapshot_and_a_load_every_five_minutes_are_silent_bring_one_generation_forward_and_outlive_the_nights_pruning() {
    let mut h = Hospital::small(1000);
    h.work.edit(|p| {
        p.set("store", "full_every", "\"1d\"").set("store", "keep", "{ recent = 2, daily = 0, weekly = 0 }");
    });
    h.work.run("his-load-standby", &["init"]).expect(0);
    let work = |n: usize| {
        h.primary.execute(DB, &format!("INSERT INTO t (v) SELECT 'new {n}/' || g FROM generate_series(1, 9) g; UPDATE t SET v = v || '.' WHERE id % 97 = {n}; DELETE FROM t WHERE id % 89 = {n}"));
    };
    for n in 0..12 {
        cron(&h, "his-load-standby -q");
        work(n);
    }
    cron(&h, "his-load-standby -q");
    assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &["public.other"]);
    assert_eq!(h.databases(), ["his", "his_g1"]);
    let kinds = |h: &Hospital| snapshots(h).iter().filter(|s| s["kind"] == "delta").count();
    assert_eq!((snapshots(&h).len(), kinds(&h)), (13, 12));
    // The newest stand on all that came before, so none may go until the next full one.
    cron(&h, "his-snapshot prune");
    cron(&h, "his-snapshot verify");
    assert_eq!(snapshots(&h).len(), 13);
    work(12);
    cron(&h, "his-load-standby -q");
    assert_eq!((h.databases().len(), kinds(&h)), (2, 13));
    // The night's full one is a generation of its own; then the old chain is let go.
    h.work.run("his-snapshot", &["--full", "-q"]).expect(0);
    h.load();
    for n in 13..16 {
        work(n);
        cron(&h, "his-load-standby -q");
    }
    assert_eq!(h.databases(), ["his", "his_g1", "his_g2"]);
    assert_same_tables((&h.primary, DB), (&h.standby, "his_g2"), &["public.other"]);
    let back = h.work.json(0, "his-load-standby", &["rollback"]);
    assert_eq!(back["generation"], json!(2), "the last delta is taken back");
    cron(&h, "his-snapshot prune");
    // The old chain but for what the generation before is of, and what the new chain needs.
    cron(&h, "his-snapshot verify");
    let left: Vec<Value> = snapshots(&h).iter().map(|s| s["kind"].clone()).collect();
    assert_eq!(left.iter().filter(|kind| **kind == "full").count(), 2);
}

#[test]
fn while_the_windows_are_on_the_standby_the_crontab_takes_and_loads_nothing_and_goes_on_after_the_return() {
    let mut h = Hospital::small(100);
    h.work.set("store", "full_every", "\"1d\"");
    h.work.run("his-load-standby", &["init"]).expect(0);
    for _ in 0..2 {
        cron(&h, "his-load-standby -q");
    }
    h.work.run("his-switch", &["standby", "--reason", "test", "--both-live", "-q"]).expect(0);
    h.standby.execute(DB, "INSERT INTO t (v) VALUES ('of a window')");
    let ran = run(&h, "his-load-standby -q").expect(1);
    assert_eq!((&*ran.stdout, &*ran.stderr, snapshots(&h).len()), ("", "", 2));
    h.work.run("his-switch", &["primary"]).expect(0);
    cron(&h, "his-load-standby -q");
    let newest = h.databases().pop().expect("a generation");
    assert_same_tables((&h.primary, DB), (&h.standby, &newest), &["public.other"]);
    assert_eq!(h.primary.value(DB, "SELECT count(*) FROM t WHERE v = 'of a window'"), "1");
}

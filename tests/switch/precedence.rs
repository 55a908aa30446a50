//! P16: whatever else runs, is stuck or has crashed is ended.

use his_emergency::db::Client;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Hospital, SOON};
use crate::support::workplace::DB;
use crate::support::{Mode, Program, Proxy, Running, wait_until};

fn holds(hospital: &Hospital, kind: &str, run: &Running) -> bool {
    let lock = hospital.work.store().join("locks").join(format!("{kind}.lock"));
    fs::read_to_string(lock).is_ok_and(|text| text.contains(&format!("\"pid\":{},", run.pid())))
}

/// A frozen process that holds a lock as one of our programs would.
pub fn frozen_holder(hospital: &Hospital, lock: &str) -> Running {
    let path = hospital.work.store().join(format!("locks/{lock}.lock"));
    let run = Program::at(Path::new("/usr/bin/flock")).args(["-o"]).args([&path]).args(["sleep", "60"]).start();
    wait_until("the lock is held", SOON, || fs::File::open(&path).is_ok_and(|f| f.try_lock().is_err()));
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let holder = json!({
        "program": "his-export-queue", "pid": run.pid(), "host": host.trim(), "by": "", "since": "2026-11-23T01:02:03Z",
    });
    fs::write(&path, holder.to_string()).unwrap();
    run.freeze();
    run
}

#[test]
fn p16_frozen_runs_of_every_kind_are_ended_within_five_seconds() {
    let mut hospital = Hospital::new();
    // Each hangs at a line that swallows everything, and then it is frozen as well.
    let (primary, standby) = (Proxy::tcp(&hospital.primary), Proxy::tcp(&hospital.standby));
    let (primary_url, standby_url) = (hospital.primary.url(DB), hospital.standby.url(DB));
    hospital.work.set("primary", "url", &format!("\"{}\"", primary.url(DB)));
    hospital.work.set("standby", "url", &format!("\"{}\"", standby.url(DB)));
    primary.set(Mode::Swallow);
    standby.set(Mode::Swallow);
    let runs = [("snapshot", "his-snapshot"), ("load", "his-load-standby"), ("merge", "his-merge")];
    let mut frozen: Vec<(&str, Running)> = Vec::new();
    for (kind, program) in runs {
        let run = hospital.work.start(program, &[]);
        wait_until(&format!("{program} holds its lock"), SOON, || holds(&hospital, kind, &run));
        run.freeze();
        frozen.push((program, run));
    }
    let mut others = ["export", "register"].map(|kind| frozen_holder(&hospital, kind));
    hospital.work.set("primary", "url", &format!("\"{primary_url}\""));
    hospital.work.set("standby", "url", &format!("\"{standby_url}\""));
    let began = Instant::now();
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "stuck"]).expect(0);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for (program, mut run) in frozen {
        assert!(!run.running(), "{program} is ended");
        assert!(ran.stderr.contains(&format!("ended {program} (process {} on ", run.pid())), "{}", ran.stderr);
    }
    assert!(others.iter_mut().all(|run| !run.running()), "whatever they hold");
    assert_eq!(hospital.journal("switch ends other runs")[0], "switch ends other runs done");
    assert_eq!(hospital.side(), "standby");

    // And the export that cron runs while the standby is open.
    hospital.work.set("standby", "url", &format!("\"{}\"", standby.url(DB)));
    let mut export = hospital.work.start("his-export-queue", &[]);
    wait_until("the export holds its lock", SOON, || holds(&hospital, "export", &export));
    export.freeze();
    hospital.work.set("standby", "url", &format!("\"{standby_url}\""));
    let ran = hospital.work.run("his-switch", &["primary"]).expect(0);
    assert!(ran.took < Duration::from_secs(5), "{:?}", ran.took);
    assert!(!export.running(), "it is ended");
}

#[test]
fn p16_what_a_killed_load_left_running_on_the_standby_is_ended() {
    let hospital = Hospital::new();
    let url = format!("{}&application_name=his-load-standby", hospital.standby.url("his_g1"));
    let mut left = Client::plain(&url).expect("it connects");
    left.batch_execute("BEGIN; SELECT 1").expect("it works");
    // And in no database of ours, in the way of the rename: of a load, and of another move.
    let holding = |program: &str, database: &str| {
        let url = format!("{}&application_name={program}", hospital.standby.url("postgres"));
        let mut client = Client::plain(&url).expect("it connects");
        client.batch_execute(&format!("BEGIN; COMMENT ON DATABASE {database} IS 'held'")).expect("it holds it");
        client
    };
    let (mut load, mut other) = (holding("his-load-standby", "his_g1"), holding("his-switch", "his"));
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "left over"]).expect(0);
    assert!(ran.took < Duration::from_secs(5), "{:?}", ran.took);
    left.simple_query("SELECT 1").expect_err("it was ended");
    load.simple_query("SELECT 1").expect_err("it was ended");
    other.simple_query("SELECT 1").expect_err("it was ended");
}

#[test]
fn p16_the_merge_lock_of_a_killed_merge_does_not_keep_the_windows_away() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    let url = format!("{}&application_name=his-merge", hospital.primary.url(DB));
    let mut left = Client::plain(&url).expect("it connects");
    left.batch_execute("SELECT pg_advisory_lock(1212765509, 2)").expect("it has the merge's lock");
    assert_eq!(hospital.switch(0, &["primary"])["units"]["merged"], 1);
    left.simple_query("SELECT 1").expect_err("it was ended");
}

#[test]
fn a_drill_is_ended_by_a_real_emergency() {
    let hospital = Hospital::new();
    let file = hospital.work.path().join("work.sql");
    fs::write(&file, "SELECT pg_sleep(60)").unwrap();
    let mut drill = hospital.work.start("his-switch", &["drill", "--workload", &file.to_string_lossy()]);
    let there = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'his_drill' AND query LIKE '%sleep%' AND application_name = 'his-drill-window'";
    wait_until("the drill works", SOON, || hospital.standby.value("postgres", there) == "1");
    assert_eq!(hospital.status()["drill"], true);
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    wait_until("the drill is ended", SOON, || !drill.running());
}

#[test]
fn p16_no_run_begins_while_the_windows_are_being_moved() {
    let mut hospital = Hospital::new();
    hospital.work.set("limits", "fence", "\"4s\"");
    hospital.primary.freeze();
    let mut opening = hospital.work.start("his-switch", &["standby", "--reason", "frozen"]);
    let kept = |kind: &str| holds(&hospital, kind, &opening);
    wait_until("it keeps the locks", SOON, || kept("snapshot") && kept("load"));
    for program in ["his-snapshot", "his-load-standby"] {
        hospital.work.run(program, &[]).expect(7).says("his-switch (process ");
    }
    assert!(opening.running());
    opening.wait().expect(0);
    hospital.primary.thaw();
}

#[test]
fn p16_an_export_that_cron_starts_during_the_return_is_ended() {
    let mut hospital = Hospital::new();
    hospital.work.set("limits", "drain", "\"3s\"");
    hospital.open();
    let mut stuck = hospital.standby.client_as("his_app", DB);
    stuck.batch_execute("BEGIN; INSERT INTO op.charge (total, who) VALUES (1, 'stuck')").expect("it is open");
    let mut back = hospital.work.start("his-switch", &["primary"]);
    back.wait_for("round 1");
    // While the standby drains.
    let mut export = frozen_holder(&hospital, "export");
    let ran = back.wait().expect(0);
    assert!(!export.running(), "it is ended");
    assert!(ran.took < Duration::from_secs(8), "{:?}", ran.took);
    assert!(hospital.journal("switch primary").contains(&"switch ends other runs done".to_owned()));
    assert_eq!(hospital.side(), "primary");
}

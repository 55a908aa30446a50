//! P16: whatever else runs, is stuck or has crashed is ended.

use std::time::{Duration, Instant};

use super::{Hospital, SOON};
use crate::support::workplace::DB;
use crate::support::{Mode, Proxy, Running, wait_until};

fn holds(hospital: &Hospital, kind: &str, run: &Running) -> bool {
    let lock = hospital.work.store().join("locks").join(format!("{kind}.lock"));
    std::fs::read_to_string(lock).is_ok_and(|text| text.contains(&format!("\"pid\":{},", run.pid())))
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
    hospital.work.set("primary", "url", &format!("\"{primary_url}\""));
    hospital.work.set("standby", "url", &format!("\"{standby_url}\""));
    let began = Instant::now();
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "stuck"]).expect(0);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for (program, mut run) in frozen {
        assert!(!run.running(), "{program} is ended");
        assert!(ran.stderr.contains(&format!("ended {program} (process {} on ", run.pid())), "{}", ran.stderr);
    }
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
    let mut left = postgres::Client::connect(&url, postgres::NoTls).expect("it connects");
    left.batch_execute("BEGIN; SELECT 1").expect("it works");
    hospital.open();
    left.simple_query("SELECT 1").expect_err("it was ended");
}

#[test]
fn p16_the_merge_lock_of_a_killed_merge_does_not_keep_the_windows_away() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    let url = format!("{}&application_name=his-merge", hospital.primary.url(DB));
    let mut left = postgres::Client::connect(&url, postgres::NoTls).expect("it connects");
    left.batch_execute("SELECT pg_advisory_lock(1212765509, 2)").expect("it has the merge's lock");
    assert_eq!(hospital.switch(0, &["primary"])["units"]["merged"], 1);
    left.simple_query("SELECT 1").expect_err("it was ended");
}

#[test]
fn a_drill_is_ended_by_a_real_emergency() {
    let hospital = Hospital::new();
    let file = hospital.work.path().join("work.sql");
    std::fs::write(&file, "SELECT pg_sleep(60)").unwrap();
    let mut drill = hospital.work.start("his-switch", &["drill", "--workload", &file.to_string_lossy()]);
    let there = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'his_drill' AND query LIKE '%sleep%' AND application_name = 'his-drill-window'";
    wait_until("the drill works", SOON, || hospital.standby.value("postgres", there) == "1");
    assert_eq!(hospital.status()["drill"], true);
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    wait_until("the drill is ended", SOON, || !drill.running());
}

//! What is refused, with which code, and what the hint says.

use serde_json::json;

use super::{Hospital, TABLES};
use crate::support::workplace::DB;
use crate::support::{Cluster, Kind};

#[test]
fn opening_wants_a_reason() {
    let hospital = Hospital::new();
    let ran = hospital.work.run("his-switch", &["standby"]).expect(2);
    assert_eq!(ran.hint(), "his-switch standby --reason TEXT; the reason goes into the journal and the report.");
    hospital.work.run("his-switch", &["standby", "--reason", "x", "--level", "5"]).expect(2);
    assert_eq!(hospital.status()["event"], json!(null));
}

#[test]
fn old_data_wants_accept_stale_and_the_plan_says_until_when_it_reaches() {
    let mut hospital = Hospital::new();
    hospital.work.set("limits", "max_age", "\"0s\"");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "x"]).expect(4).says("its data ends at ");
    assert!(ran.hint().contains("--accept-stale"), "{}", ran.hint());
    let status = hospital.status();
    assert_eq!((&status["mode"], &status["event"], &status["fence"]), (&json!("normal"), &json!(null), &json!("off")));
    assert_eq!(hospital.side(), "primary");
    let dry = hospital.work.run("his-switch", &["standby", "--reason", "x", "--accept-stale", "--dry-run"]).expect(0);
    assert!(dry.stdout.contains("data until "), "{}", dry.stdout);
    let real = hospital.work.run("his-switch", &["standby", "--reason", "x", "--accept-stale"]).expect(0);
    let steps = |text: &str| {
        text.lines().filter(|l| l.starts_with("  1.") || l.starts_with("  4.")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(steps(&dry.stdout), steps(&real.stderr));
    assert!(!steps(&dry.stdout).is_empty());
}

#[test]
fn without_a_generation_paper_is_what_is_left() {
    let hospital = Hospital::without_generation();
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "x"]).expect(4).says("no generation is loaded");
    assert!(ran.hint().contains("his-switch paper"), "{}", ran.hint());
    hospital.switch(0, &["paper"]);
}

#[test]
fn a_generation_is_opened_fresh_once_and_again_only_with_accept_stale() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    hospital.switch(0, &["primary"]);
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "again"]).expect(4);
    assert!(ran.stderr.contains("generation 1 was written in event 01-0001"), "{}", ran.stderr);
    assert!(ran.hint().contains("--accept-stale"), "{}", ran.hint());
    let opened = hospital.switch(0, &["standby", "--reason", "again", "--accept-stale"]);
    assert_eq!((&opened["event"], &opened["generation"]), (&json!("01-0002"), &json!(1)));
    assert_eq!(hospital.side(), "standby");
    let back = hospital.switch(0, &["primary"]);
    assert_eq!(back["units"], json!({"captured": 1, "merged": 1, "held": 0, "rejected": 0}));
    // Its queue was kept and its numbers went on.
    assert_eq!(hospital.primary.rows(DB, "SELECT id FROM op.charge WHERE id >= 900000 ORDER BY id").len(), 2);
}

#[test]
fn a_fresh_generation_from_before_the_last_merge_is_never_opened() {
    let hospital = Hospital::new();
    hospital.work.run("his-snapshot", &["-q"]).expect(0);
    hospital.open();
    hospital.side();
    hospital.switch(0, &["primary"]);
    // Loaded behind the guard's back it would be generation 2; the load itself refuses it, so the switch never sees one.
    let ran = hospital.work.run("his-load-standby", &[]).expect(4);
    assert!(ran.stderr.contains("older than the last merge"), "{}", ran.stderr);
    hospital.work.run("his-switch", &["standby", "--reason", "x"]).expect(4);
    hospital.load();
    let opened = hospital.open();
    assert_eq!(opened["event"], "01-0002");
    assert_eq!(hospital.standby.value(DB, "SELECT count(*) FROM op.charge WHERE id >= 900000"), "1");
}

#[test]
fn moves_that_lead_nowhere_are_refused() {
    let hospital = Hospital::new();
    let ran = hospital.work.run("his-switch", &["primary"]).expect(4);
    assert!(ran.stderr.contains("they are there already (mode normal)"), "{}", ran.stderr);
    hospital.switch(0, &["paper"]);
    hospital.work.run("his-switch", &["paper"]).expect(4).says("they are on paper already");
    hospital.switch(0, &["primary"]);
    hospital.open();
    let again = hospital.switch(0, &["standby"]);
    assert_eq!((&again["already"], &again["event"]), (&json!(true), &json!("01-0002")));
    assert_eq!(hospital.journal("switch standby").last().map(String::as_str), Some("switch standby done"));
    assert_eq!(hospital.journal("switch standby").iter().filter(|a| a.starts_with("switch standby")).count(), 2);
}

#[test]
fn a_primary_that_does_not_answer_keeps_the_windows_where_they_are() {
    let hospital = Hospital::new();
    hospital.primary.stop_immediate();
    hospital.open();
    let ran = hospital.work.run("his-switch", &["primary"]).expect(6);
    assert_eq!(ran.hint(), "the windows stay where they are; start the primary, then run the same command again.");
    assert_eq!(hospital.side(), "standby");
    hospital.work.run("his-switch", &["unfence", "--both-live"]).expect(6);
    hospital.work.run("his-switch", &["fence"]).expect(6);
    hospital.work.run("his-switch", &["standby", "--planned", "--reason", "x"]).expect(0).says("already");
}

#[test]
fn a_planned_opening_wants_a_primary() {
    let hospital = Hospital::new();
    hospital.primary.stop_immediate();
    let ran = hospital.work.run("his-switch", &["standby", "--planned", "--reason", "x"]).expect(6);
    assert_eq!(ran.hint(), "leave --planned out: the newest loaded generation is opened.");
    assert_eq!(hospital.status()["mode"], "normal");
}

#[test]
fn a_standby_that_does_not_answer_leaves_paper() {
    let hospital = Hospital::new();
    hospital.standby.stop_immediate();
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "x"]).expect(6);
    assert!(ran.hint().contains("his-switch paper"), "{}", ran.hint());
    let status = hospital.status();
    assert_eq!((&status["mode"], &status["fence"]), (&json!("normal"), &json!("off")));
}

#[test]
fn another_primary_or_one_that_has_forgotten_a_merge_gets_no_windows() {
    let mut hospital = Hospital::new();
    hospital.open();
    hospital.side();
    hospital.switch(0, &["primary"]);
    hospital.load();
    hospital.open();
    let other = Cluster::start(Kind::Third);
    other.execute("postgres", "CREATE ROLE his_app LOGIN");
    other.create_database(DB);
    let url = hospital.primary.url(DB);
    hospital.work.set("primary", "url", &format!("\"{}\"", other.url(DB)));
    hospital.work.run("his-switch", &["primary"]).expect(4).says("it is another server");
    hospital.work.set("primary", "url", &format!("\"{url}\""));
    hospital.primary.execute(DB, "TRUNCATE his_emergency.merge_run CASCADE");
    let ran = hospital.work.run("his-switch", &["primary"]).expect(4).says("its merge ledger ends at run 0");
    assert!(ran.hint().contains("his-merge backfill"), "{}", ran.hint());
    assert_eq!(hospital.side(), "standby");
}

#[test]
fn prepared_transactions_on_the_standby_are_named() {
    let hospital = Hospital::new();
    hospital.standby.execute("postgres", "ALTER SYSTEM SET max_prepared_transactions = 2");
    hospital.standby.stop_fast();
    hospital.standby.start_again();
    let prepare = "SET default_transaction_read_only = off; BEGIN READ WRITE; CREATE TEMP TABLE t (); ROLLBACK; BEGIN READ WRITE; SELECT 1; PREPARE TRANSACTION 'left over'";
    hospital.standby.psql(DB, prepare);
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "x"]).expect(4).says("'left over' in 'his'");
    assert!(ran.hint().contains("ROLLBACK PREPARED"), "{}", ran.hint());
    hospital.standby.psql(DB, "ROLLBACK PREPARED 'left over'");
    hospital.open();
}

#[test]
fn two_people_at_once_is_exit_7() {
    let mut hospital = Hospital::new();
    hospital.work.set("limits", "fence", "\"4s\"");
    hospital.primary.freeze();
    let mut first = hospital.work.start("his-switch", &["standby", "--reason", "one", "--by", "one"]);
    let lock = hospital.work.store().join("locks/switch.lock");
    crate::support::wait_until("the lock is held", super::SOON, || {
        std::fs::read_to_string(&lock).is_ok_and(|t| t.contains("\"by\":\"one\""))
    });
    assert!(first.running());
    let second = hospital.work.run("his-switch", &["standby", "--reason", "two"]).expect(7);
    assert!(second.stderr.contains("started by one) holds the lock since"), "{}", second.stderr);
    assert!(second.hint().contains("kill -9"), "{}", second.hint());
    first.wait().expect(0);
    hospital.primary.thaw();
}

#[test]
fn no_fence_and_a_primary_that_answers_wants_both_live() {
    let mut hospital = Hospital::new();
    hospital.work.edit(|p| {
        p.set("primary", "fence", "\"none\"").tables(TABLES);
    });
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "x"]).expect(4);
    assert!(ran.hint().contains("--both-live"), "{}", ran.hint());
    hospital.work.run("his-switch", &["fence"]).expect(4);
    hospital.primary.stop_immediate();
    assert_eq!(hospital.open()["fence"], "off");
}

#[test]
fn a_database_of_somebody_else_under_the_standbys_name_is_left_alone() {
    let hospital = Hospital::new();
    hospital.standby.execute("postgres", "ALTER DATABASE his RENAME TO his_g0");
    hospital.standby.execute("postgres", "CREATE DATABASE his");
    hospital.work.run("his-switch", &["standby", "--reason", "x"]).expect(4).says("is not of this toolkit");
    assert_eq!(
        hospital.standby.value("postgres", "SELECT count(*) FROM pg_database WHERE datname IN ('his', 'his_g1')"),
        "2"
    );
}

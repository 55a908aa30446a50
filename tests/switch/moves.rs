//! Order and side: where the windows land, when, and that everything they did comes back.

use serde_json::json;

use super::{CHARGE, Hospital, SOON};
use crate::support::workplace::DB;
use crate::support::{Attempt, Mode, Outcome, Proxy, Windows, wait_until};

/// Every commit that a window was told of is on the primary once; what a window could not know may be there or not.
fn assert_all_came_back(hospital: &Hospital, log: &[Attempt]) {
    let certain = log.iter().filter(|a| a.outcome == Outcome::Committed).count();
    let unknown = log.iter().filter(|a| matches!(a.outcome, Outcome::Unknown | Outcome::Stuck)).count();
    let there = hospital.charges_on_primary();
    assert!((certain..=certain + unknown).contains(&there), "{there} there, {certain} certain, {unknown} unknown");
    let doubled =
        hospital.primary.rows(DB, "SELECT who FROM op.charge WHERE who LIKE '%/%' GROUP BY who HAVING count(*) > 1");
    assert!(doubled.is_empty(), "{doubled:?}");
}

/// No window commits on the primary between its leaving and its return, and none on the standby outside of the event.
fn assert_sides(log: &[Attempt], opened: std::time::Duration, closing: std::time::Duration) {
    for a in log.iter().filter(|a| a.outcome == Outcome::Committed) {
        match a.port {
            Some(54_321) => {
                assert!(a.began < opened || a.ended > closing, "on the primary while the standby is open: {a:?}");
            }
            _ => assert!(a.ended > std::time::Duration::ZERO && a.began < closing + SOON, "{a:?}"),
        }
    }
    let last_on_standby = log.iter().filter(|a| a.port == Some(54_322)).map(|a| a.began).max().unwrap();
    let back = log.iter().filter(|a| a.port == Some(54_321) && a.outcome == Outcome::Committed && a.began > opened);
    assert!(back.clone().count() > 0, "they are back");
    assert!(
        back.map(|a| a.ended).min().unwrap() > last_on_standby.min(closing),
        "first the standby is closed, then they are back"
    );
}

#[test]
fn windows_go_to_the_standby_and_back_and_everything_they_did_is_on_the_primary() {
    let hospital = Hospital::new();
    let windows = hospital.windows().open();
    windows.wait_for_every_client(&hospital.primary);
    let opened = hospital.open();
    assert_eq!((&opened["mode"], &opened["event"]), (&json!("standby"), &json!("01-0001")));
    assert!(opened["seconds"].as_f64().unwrap() > 0.0);
    let at = windows.elapsed();
    windows.wait_for_every_client(&hospital.standby);
    hospital.work.run("his-export-queue", &[]).expect(0);
    windows.wait_for_commits(&hospital.standby, 20);
    let closing = windows.elapsed();
    let back = hospital.switch(0, &["primary"]);
    assert_eq!((&back["mode"], &back["event"]), (&json!("normal"), &json!("01-0001")));
    windows.wait_for_every_client(&hospital.primary);
    let log = windows.close();
    assert_sides(&log, at, closing);
    assert_all_came_back(&hospital, &log);
    assert_eq!(back["balanced"], true);
    let units = &back["units"];
    assert_eq!(units["captured"], units["merged"]);
    assert!(units["captured"].as_u64().unwrap() >= 24);
    // Emergency numbers stay in their block, and the primary's own go on outside of it.
    let numbers =
        "SELECT count(*) FILTER (WHERE id >= 900000), count(*) FILTER (WHERE id < 900000 AND id > 20) FROM op.charge";
    let counts = hospital.primary.value(DB, numbers);
    let (emergency, own) = counts.split_once('|').unwrap();
    assert_eq!(emergency.parse::<u64>().unwrap(), units["captured"].as_u64().unwrap());
    assert!(own.parse::<u64>().unwrap() > 0);
}

#[test]
fn p15_no_window_comes_back_before_its_units_are_merged() {
    let hospital = Hospital::new();
    hospital.open();
    let windows = hospital.windows().open();
    windows.wait_for_commits(&hospital.standby, 10);
    hospital.switch(0, &["primary"]);
    windows.close();
    let acts = hospital.journal("switch primary");
    let last = |what: &str| acts.iter().rposition(|a| a == what).unwrap_or_else(|| panic!("{what} in {acts:#?}"));
    assert!(last("close standby done") < last("export done"));
    assert!(last("export done") < last("merge done"));
    assert!(last("merge done") < last("unfence done"));
    assert_eq!(last("switch primary done"), acts.len() - 1);
}

#[test]
fn windows_of_a_killed_primary_land_on_the_standby_also_when_it_comes_back() {
    let hospital = Hospital::new();
    let windows = hospital.windows().open();
    windows.wait_for_every_client(&hospital.primary);
    hospital.primary.stop_immediate();
    let opened = hospital.open();
    let at = windows.elapsed();
    assert_eq!(opened["fence"], "pending");
    windows.wait_for_every_client(&hospital.standby);
    hospital.primary.start_again();
    // The guard that the move left behind fences it, with no command of anybody's.
    wait_until("the fence is on", SOON, || fenced(&hospital));
    windows.wait_for_every_client(&hospital.standby);
    let closing = windows.elapsed();
    hospital.switch(0, &["primary"]);
    windows.wait_for_every_client(&hospital.primary);
    let log = windows.close();
    assert_sides(&log, at, closing);
    assert_all_came_back(&hospital, &log);
    assert!(!fenced(&hospital));
}

fn fenced(hospital: &Hospital) -> bool {
    hospital.primary.value("postgres", "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'his_app'") == "f"
}

#[test]
fn a_frozen_primary_holds_the_switch_up_no_longer_than_fence_and_is_fenced_when_it_thaws() {
    let hospital = Hospital::new();
    let windows = hospital.windows().limit(std::time::Duration::from_secs(3)).open();
    windows.wait_for_every_client(&hospital.primary);
    hospital.primary.freeze();
    let opened = hospital.open();
    assert_eq!(opened["fence"], "pending");
    // The fence is 1 s; the rest is for a busy machine.
    assert!(opened["seconds"].as_f64().unwrap() < 4.0, "{opened}");
    windows.wait_for_every_client(&hospital.standby);
    assert_eq!(hospital.status()["primary"], json!({"reachable": false, "writable": null, "fenced": null}));
    hospital.primary.thaw();
    wait_until("the fence is on", SOON, || fenced(&hospital));
    windows.wait_for_every_client(&hospital.standby);
    hospital.switch(0, &["primary"]);
    windows.wait_for_every_client(&hospital.primary);
    assert_all_came_back(&hospital, &windows.close());
}

#[test]
fn a_primary_behind_a_line_that_swallows_everything_counts_as_down() {
    let mut hospital = Hospital::new();
    let proxy = Proxy::tcp(&hospital.primary);
    hospital.work.set("primary", "url", &format!("\"{}\"", proxy.url(DB)));
    proxy.set(Mode::Swallow);
    let opened = hospital.open();
    assert_eq!(opened["fence"], "pending");
    assert!(opened["seconds"].as_f64().unwrap() < 4.0, "{opened}");
    assert_eq!(hospital.side(), "standby");
    hospital.work.run("his-switch", &["primary"]).expect(6).says("no answer within 1 s");
    proxy.set(Mode::Pass);
    hospital.work.run("his-export-queue", &[]).expect(0);
    assert!(fenced(&hospital), "an export is contact enough");
    hospital.switch(0, &["primary"]);
    assert_eq!(hospital.side(), "primary");
}

#[test]
fn a_new_connection_in_the_moment_of_opening_finds_one_of_the_two_sides() {
    let hospital = Hospital::new();
    let windows = Windows::new(&hospital.string(), CHARGE).clients(8).pause(std::time::Duration::ZERO).open();
    windows.wait_for_every_client(&hospital.primary);
    hospital.primary.stop_immediate();
    hospital.open();
    windows.wait_for_every_client(&hospital.standby);
    windows.wait_for_commits(&hospital.standby, 40);
    hospital.primary.start_again();
    hospital.switch(0, &["primary"]);
    windows.wait_for_every_client(&hospital.primary);
    assert_all_came_back(&hospital, &windows.close());
}

#[test]
fn an_event_runs_through_standby_paper_standby_and_primary() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    let paper = hospital.switch(0, &["paper"]);
    assert_eq!((&paper["mode"], &paper["event"]), (&json!("paper"), &json!("01-0001")));
    assert!(hospital.side().contains("not permitted to log in"), "{}", hospital.side());
    // What it has written is opened again, whatever its age, and nobody has to say so.
    let again = hospital.switch(0, &["standby"]);
    assert_eq!(
        (&again["mode"], &again["event"], &again["generation"]),
        (&json!("standby"), &json!("01-0001"), &json!(1))
    );
    assert_eq!(hospital.side(), "standby");
    hospital.switch(0, &["paper"]);
    let back = hospital.switch(0, &["primary"]);
    assert_eq!(back["units"], json!({"captured": 2, "merged": 2, "held": 0, "rejected": 0}));
    assert_eq!(hospital.side(), "primary");
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'asks'"), "3");
}

#[test]
fn paper_works_with_both_servers_off_and_leads_back_to_the_primary() {
    let hospital = Hospital::new();
    hospital.primary.stop_immediate();
    hospital.standby.stop_immediate();
    let paper = hospital.switch(0, &["paper", "--reason", "fire", "--level", "1", "--ordered-by", "head"]);
    assert_eq!((&paper["mode"], &paper["event"]), (&json!("paper"), &json!("01-0001")));
    let status = hospital.status();
    assert_eq!(
        (&status["mode"], &status["event"], &status["fence"]),
        (&json!("paper"), &json!("01-0001"), &json!("pending"))
    );
    assert_eq!(status["standby"]["reachable"], false);
    hospital.primary.start_again();
    wait_until("the fence is on", SOON, || fenced(&hospital));
    let back = hospital.switch(0, &["primary"]);
    assert_eq!(back["mode"], "normal");
    assert_eq!(hospital.side(), "primary", "the standby is still off");
}

#[test]
fn paper_then_the_standby_in_one_event() {
    let hospital = Hospital::new();
    hospital.primary.stop_immediate();
    hospital.switch(0, &["paper", "--reason", "power"]);
    let opened = hospital.switch(0, &["standby"]);
    assert_eq!((&opened["event"], &opened["generation"]), (&json!("01-0001"), &json!(1)));
    assert_eq!(hospital.side(), "standby");
    hospital.primary.start_again();
    let back = hospital.switch(0, &["primary"]);
    assert_eq!(back["units"]["merged"], 1);
}

#[test]
fn a_planned_opening_has_no_gap_and_one_that_fails_lifts_the_fence_again() {
    let hospital = Hospital::new();
    hospital.primary.execute(DB, "INSERT INTO op.charge (total, who) VALUES (5, 'after the snapshot')");
    let opened = hospital.switch(0, &["standby", "--planned", "--reason", "new disks"]);
    assert_eq!(opened["generation"], 2);
    assert_eq!(hospital.standby.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'after the snapshot'"), "1");
    assert_eq!(hospital.side(), "standby");
    hospital.switch(0, &["primary"]);
    assert_eq!(hospital.side(), "primary");

    // More than max_shrink is gone: the load refuses, and the windows never leave.
    hospital.load();
    hospital.primary.execute(DB, "DELETE FROM op.charge WHERE who = 'before'");
    let ran = hospital.work.run("his-switch", &["standby", "--planned", "--reason", "again"]).expect(4);
    assert!(ran.stderr.contains("the fence is lifted again"), "{}", ran.stderr);
    let status = hospital.status();
    assert_eq!((&status["mode"], &status["fence"], &status["moving"]), (&json!("normal"), &json!("off"), &json!(null)));
    assert_eq!(status["primary"]["fenced"], false);
    assert_eq!(hospital.side(), "primary");
}

#[test]
fn merge_later_brings_the_windows_back_at_once_and_says_what_is_left() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    let back = hospital.switch(3, &["primary", "--merge-later"]);
    assert_eq!((&back["mode"], &back["units"]["merged"]), (&json!("normal"), &json!(0)));
    assert_eq!(hospital.side(), "primary");
    let merged = hospital.work.json(0, "his-merge", &[]);
    assert_eq!(merged["units"], json!({"captured": 1, "merged": 1, "held": 0, "rejected": 0}));
}

#[test]
fn both_sides_work_when_the_commander_says_so_and_both_come_together() {
    let hospital = Hospital::new();
    let opened = hospital.switch(0, &["standby", "--reason", "line cut", "--both-live"]);
    assert_eq!(opened["fence"], "off");
    assert_eq!(hospital.side(), "standby");
    let mut elsewhere = hospital.primary.client_as("his_app", DB);
    elsewhere.batch_execute("INSERT INTO op.charge (total, who) VALUES (2, 'on the primary')").expect("it works");
    let back = hospital.switch(0, &["primary"]);
    assert_eq!(back["units"]["merged"], 1);
    assert_eq!(
        hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who IN ('asks', 'on the primary')"),
        "2"
    );
}

#[test]
fn a_standby_that_is_lost_is_given_up_and_what_is_unknown_is_named() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    hospital.work.run("his-export-queue", &[]).expect(0);
    assert_eq!(hospital.side(), "standby");
    hospital.standby.stop_immediate();
    for command in ["primary", "paper"] {
        let ran = hospital.work.run("his-switch", &[command]).expect(6);
        assert!(ran.hint().contains("--standby-lost --why TEXT"), "{}", ran.hint());
    }
    hospital.work.run("his-switch", &["primary", "--standby-lost"]).expect(2);
    let ran = hospital.work.run("his-switch", &["primary", "--standby-lost", "--why", "burnt"]).expect(3);
    assert!(ran.stdout.contains("unknown after batch 1 of "), "{}", ran.stdout);
    let status = hospital.status();
    assert_eq!((&status["mode"], &status["lost_after_batch"]), (&json!("normal"), &json!(1)));
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'asks'"), "1");
    assert_eq!(hospital.side(), "primary");

    // It was not lost after all, and comes back open: closed at first contact, and what it held comes back too.
    hospital.standby.start_again();
    hospital.status();
    let gate = "SELECT last_value FROM his_emergency.gate";
    assert_eq!(hospital.standby.value(DB, gate), "0");
    hospital.work.run("his-export-queue", &[]).expect(0);
    hospital.work.run("his-merge", &[]).expect(0);
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'asks'"), "3");
}

#[test]
fn p12_a_standby_that_is_given_up_for_paper_is_exit_3_and_the_unknown_is_named() {
    let hospital = Hospital::new();
    hospital.open();
    hospital.standby.stop_immediate();
    let ran = hospital.work.run("his-switch", &["paper", "--standby-lost", "--why", "burnt"]).expect(3);
    assert!(ran.stdout.contains("unknown: nothing was exported"), "{}", ran.stdout);
    assert_eq!(hospital.status()["mode"], "paper");
}

#[test]
fn p15_a_primary_that_is_back_by_itself_is_fenced_before_anything_is_merged() {
    let hospital = Hospital::new();
    hospital.primary.stop_immediate();
    // The guard that waits for the primary is not there: it finds another one at work.
    let guard = std::fs::File::create(hospital.work.store().join("locks/guard.lock")).unwrap();
    guard.lock().unwrap();
    assert_eq!(hospital.open()["fence"], "pending");
    assert_eq!(hospital.side(), "standby");
    hospital.primary.start_again();
    assert!(!fenced(&hospital));
    hospital.switch(0, &["primary"]);
    let acts = hospital.journal("switch standby");
    let at = |what: &str| acts.iter().position(|a| a == what).unwrap_or_else(|| panic!("{what} in {acts:#?}"));
    assert!(at("fence at first contact done") < at("merge done"), "{acts:#?}");
    assert!(at("merge done") < at("unfence done"), "{acts:#?}");
    assert_eq!(hospital.side(), "primary");
}

#[test]
fn p15_a_tail_that_cannot_be_merged_keeps_the_windows_away_until_it_can() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    hospital.switch(0, &["paper"]);
    // Nothing is merged yet, and now it cannot be: the column that the window wrote is another one.
    hospital.primary.execute(DB, "ALTER TABLE op.charge RENAME COLUMN who TO whom");
    let ran = hospital.work.run("his-switch", &["primary"]).expect(4).says("column 'who' is not there on the primary");
    assert!(ran.hint().contains("The windows wait"), "{}", ran.hint());
    assert!(fenced(&hospital));
    let status = hospital.status();
    assert_eq!((&status["mode"], &status["primary"]["fenced"]), (&json!("paper"), &json!(true)));
    hospital.primary.execute(DB, "ALTER TABLE op.charge RENAME COLUMN whom TO who");
    assert_eq!(hospital.switch(0, &["primary"])["units"]["merged"], 1);
    assert_eq!(hospital.side(), "primary");
}

#[test]
fn closing_waits_for_running_transactions_and_names_those_it_ends() {
    let mut hospital = Hospital::new();
    hospital.work.set("limits", "drain", "\"1s\"");
    hospital.open();
    let mut stuck = hospital.standby.client_as("his_app", DB);
    stuck.batch_execute("BEGIN; INSERT INTO op.charge (total, who) VALUES (1, 'stuck')").expect("it is open");
    let ran = hospital.work.run("his-switch", &["primary"]).expect(0);
    assert!(ran.stderr.contains("a transaction of his_app"), "{}", ran.stderr);
    stuck.batch_execute("COMMIT").expect_err("it was ended");
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'stuck'"), "0");
    assert!(hospital.journal("switch primary").contains(&"close standby done".to_owned()));
}

#[test]
fn held_units_do_not_keep_the_windows_away() {
    let hospital = Hospital::new();
    hospital.open();
    hospital.standby.execute(DB, "UPDATE op.charge SET who = 'standby' WHERE id = 1");
    hospital.primary.execute(DB, "UPDATE op.charge SET who = 'primary' WHERE id = 1");
    let back = hospital.switch(3, &["primary"]);
    assert_eq!((&back["mode"], &back["units"]["held"], &back["balanced"]), (&json!("normal"), &json!(1), &json!(true)));
    assert_eq!(hospital.side(), "primary");
    assert_eq!(hospital.status()["next"], "his-merge conflicts: units wait for a person");
}

#[test]
fn a_damaged_batch_stops_the_return_before_the_windows_feel_it() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    hospital.work.run("his-export-queue", &[]).expect(0);
    let file = hospital.work.store().join("queue/01-0001/000001/units.csv");
    let good = std::fs::read(&file).unwrap();
    let mut bad = good.clone();
    bad[10] ^= 1;
    std::fs::write(&file, bad).unwrap();
    hospital.switch(5, &["primary"]);
    assert_eq!(hospital.side(), "standby");
    std::fs::write(&file, good).unwrap();
    assert_eq!(hospital.switch(0, &["primary"])["units"]["merged"], 2);
}

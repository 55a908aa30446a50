//! `his-drill`, from outside: the whole chain beside the live one, which is not touched.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::workplace::DB;
use crate::support::{Program, differences, wait_until};
use crate::switch::Hospital;

/// A hospital whose drills have windows that charge.
fn hospital() -> Hospital {
    let mut hospital = Hospital::new();
    let charge = "INSERT INTO op.charge (total, who) VALUES (12.3456, :'client_id' || '/' || :'random_seed');";
    fs::write(hospital.work.path().join("charge.sql"), charge).unwrap();
    hospital.work.edit(|p| {
        p.set("drill", "workload", "[\"charge.sql\"]").set("drill", "windows", "2").set("drill", "seconds", "2");
        p.set("drill", "place", "\"place\"");
    });
    fs::create_dir(hospital.work.path().join("place")).unwrap();
    hospital
}

#[track_caller]
fn drill(hospital: &Hospital, code: i32, args: &[&str]) -> Value {
    let ran = hospital.work.program("his-drill", args).args(["--json"]).limit(Duration::from_secs(280)).run();
    ran.expect(code).json()
}

/// What is left of it on this machine.
fn left(hospital: &Hospital) -> usize {
    fs::read_dir(hospital.work.path().join("place")).unwrap().count()
}

fn criteria(drill: &Value) -> Vec<(String, bool)> {
    let of = |c: &Value| (c["name"].as_str().unwrap().to_owned(), c["passed"] == true);
    drill["criteria"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn a_drill_runs_the_whole_chain_loses_nothing_and_leaves_the_live_servers_byte_for_byte_as_they_were() {
    let hospital = hospital();
    hospital.load();
    let before = (hospital.primary.digest(DB), hospital.standby.digest("his_g2"));
    let state = fs::read_to_string(hospital.work.store().join("state.json")).unwrap();
    let args = ["run", "--goal", "switch in time", "--present", "anna", "--present", "bob"];
    let held = drill(&hospital, 0, &args);
    assert_eq!(held["score"], 100, "{held:#}");
    let m = &held["measured"];
    assert!(m["captured"].as_u64().unwrap() >= m["seen"].as_u64().unwrap() && m["seen"].as_u64().unwrap() > 0, "{m}");
    assert_eq!(
        (&m["lost"], &m["held"], &m["balanced"], &m["rows_on_primary"]),
        (&json!(0), &json!(0), &json!(true), &json!(0))
    );
    assert_eq!(differences(&before.0, &hospital.primary.digest(DB)), Vec::<String>::new());
    assert_eq!(differences(&before.1, &hospital.standby.digest("his_g2")), Vec::<String>::new());
    let mut live: Value = serde_json::from_str(&state).unwrap();
    live["drills"] = json!(1);
    let after: Value =
        serde_json::from_str(&fs::read_to_string(hospital.work.store().join("state.json")).unwrap()).unwrap();
    assert_eq!(after, live, "mode, event, epoch, numbers and fence of the live store are as they were");
    assert_eq!(left(&hospital), 0);
    assert_eq!(hospital.journal("exercise"), ["exercise begun", "restore test done", "exercise done"]);
}

#[test]
fn a_row_of_the_drill_on_the_live_primary_would_be_found() {
    let hospital = hospital();
    // The first number that the drill will hand out, in a row that its snapshot does not know.
    hospital.primary.execute(DB, "INSERT INTO op.charge (id, total, who) VALUES (900000, 1, 'leaked')");
    let held = drill(&hospital, 3, &["run"]);
    assert_eq!(held["measured"]["rows_on_primary"], 1);
    let failed: Vec<String> = criteria(&held).into_iter().filter(|(_, passed)| !passed).map(|(n, _)| n).collect();
    assert_eq!(failed, ["nothing of it on the primary"]);
}

#[test]
fn a_drill_goes_on_beside_windows_that_work_on_the_live_primary() {
    let hospital = hospital();
    let windows = hospital.windows().open();
    windows.wait_for_commits(&hospital.primary, 1);
    let held = drill(&hospital, 0, &["run"]);
    let log = windows.close();
    assert_eq!(held["measured"]["rows_on_primary"], 0);
    let committed = log.iter().filter(|a| a.is_commit_on(&hospital.primary)).count();
    assert_eq!(committed, hospital.charges_on_primary(), "what is there is what the live windows did");
}

#[test]
fn every_scenario_is_gone_through_to_its_end() {
    let hospital = hospital();
    for scenario in ["hung", "network", "building", "attack", "standby-too"] {
        let held = drill(&hospital, 0, &["run", "--scenario", scenario]);
        assert_eq!((&held["score"], &held["broke_off"]), (&json!(100), &json!(null)), "{scenario}: {held:#}");
        assert_eq!(held["measured"]["lost"], 0, "{scenario}");
        if scenario == "attack" {
            assert_eq!(held["measured"]["damage_refused"], true);
        }
    }
    assert_eq!(left(&hospital), 0);
    let history = drill(&hospital, 0, &["history"]);
    assert_eq!(history["drills"].as_array().unwrap().len(), 5);
}

#[test]
fn windows_that_wait_for_a_hung_server_in_mid_act_are_closed_and_reopened_as_people_do_it() {
    let hospital = hospital();
    let slow = "BEGIN; INSERT INTO op.charge (total, who) VALUES (1, :'client_id'); SELECT pg_sleep(1); COMMIT;";
    fs::write(hospital.work.path().join("charge.sql"), slow).unwrap();
    let held = drill(&hospital, 0, &["run", "--scenario", "hung"]);
    assert_eq!(held["score"], 100, "{held:#}");
}

#[test]
fn what_a_drill_finds_costs_points_and_is_written_down_with_owner_and_date() {
    let mut hospital = hospital();
    hospital.work.set("drill", "switch_within", "\"1ms\"");
    let held = drill(&hospital, 3, &["run", "--present", "anna", "--absent", "bob"]);
    let failed: Vec<String> = criteria(&held).into_iter().filter(|(_, passed)| !passed).map(|(n, _)| n).collect();
    assert_eq!(failed, ["switch", "first act on the standby", "attendance"]);
    assert_eq!(held["score"], 66);
    let args = ["finding", "the switch was slow", "--owner", "IT", "--due", "2027-01-31"];
    assert_eq!(drill(&hospital, 0, &args)["findings"][0]["due"], "2027-01-31");
    hospital.work.edit(|p| {
        p.unset("drill", "switch_within");
    });
    drill(&hospital, 0, &["run"]);
    let page = hospital.work.run("his-drill", &["history"]).expect(0).stdout;
    assert!(page.contains("score  66") && page.contains("score 100 better") && page.contains("1 findings"), "{page}");
    let page = hospital.work.run("his-drill", &["show", "01-D1"]).expect(0).stdout;
    assert!(page.contains("ABSENT   bob") && page.contains("FAILED  switch "), "{page}");
}

#[test]
fn a_drill_at_the_pace_of_people_is_theirs_between_begin_and_end() {
    let hospital = hospital();
    let begun = drill(&hospital, 0, &["begin", "--scenario", "primary-down"]);
    let config = begun["config"].as_str().unwrap();
    let people = |name: &str, args: &[&str]| Program::ours(name).args(args).env("HIS_CONFIG", config).run();
    // Nobody clears away what people are in the middle of.
    hospital.work.run("his-drill", &["run"]).expect(4).says("drill 01-D1 is on since");
    drill(&hospital, 0, &["strike"]);
    people("his-switch", &["standby", "--reason", "drill"]).expect(0);
    assert_eq!(hospital.status()["mode"], "normal", "the live hospital knows nothing of it");
    drill(&hospital, 0, &["mend"]);
    people("his-switch", &["primary"]).expect(0);
    let held = drill(&hospital, 3, &["end"]);
    let failed: Vec<String> = criteria(&held).into_iter().filter(|(_, passed)| !passed).map(|(n, _)| n).collect();
    assert_eq!(failed, ["nothing lost"], "nobody worked at a window, so nothing is proven");
    assert!(held["measured"]["switch_seconds"].is_f64() && held["measured"]["return_seconds"].is_f64());
    assert_eq!(left(&hospital), 0);
    hospital.work.run("his-drill", &["strike"]).expect(4).says("none is on");
}

#[test]
fn an_emergency_ends_a_drill_and_the_next_one_clears_away_what_it_left() {
    let mut hospital = hospital();
    hospital.work.set("drill", "seconds", "60");
    let mut running = hospital.work.start("his-drill", &["run"]);
    running.wait_for("his-export-queue");
    hospital.open();
    wait_until("the drill is ended", Duration::from_secs(20), || !running.running());
    assert_eq!(hospital.side(), "standby");
    hospital.work.run("his-drill", &["run"]).expect(4).says("this is no time for it");
    hospital.switch(0, &["primary"]);
    hospital.load();
    hospital.work.set("drill", "seconds", "1");
    let held = drill(&hospital, 0, &["run"]);
    assert_eq!(held["drill"], "01-D2");
    assert_eq!(left(&hospital), 0, "also what the first one left");
    let first = drill(&hospital, 0, &["show", "01-D1"]);
    assert_eq!(first["broke_off"], "it was ended in the middle");
}

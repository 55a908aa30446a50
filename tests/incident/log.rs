//! The log: warnings, levels, tasks, calls, phases, and the moves of his-switch beside them.

use std::fs;
use std::thread;

use serde_json::json;

use super::{hospital, incident};

#[test]
fn an_emergency_goes_from_warning_to_summary_and_the_moves_of_the_switch_are_in_its_timeline() {
    let hospital = hospital();
    assert_eq!(incident(&hospital, 0, &["status"])["incident"], json!(null));
    let warned = incident(&hospital, 0, &["warn", "--department", "内科", "慢"]);
    assert_eq!((&warned["incident"], &warned["phase"]), (&json!("01-I0001"), &json!("warning")));
    assert_eq!(warned["tasks"]["open"], 0, "nothing is declared yet");
    incident(&hospital, 0, &["warn", "--department", "cashiers", "hangs"]);
    let started = incident(
        &hospital,
        0,
        &["start", "--cause", "server", "--level", "3", "--why", "dead", "--ordered-by", "chief"],
    );
    assert_eq!((&started["incident"], &started["phase"]), (&json!("01-I0001"), &json!("response")));
    hospital.open();
    let handling = incident(&hospital, 0, &["status"]);
    assert_eq!((&handling["phase"], &handling["events"]), (&json!("handling"), &json!(["01-0001"])));
    let raised = incident(&hospital, 0, &["level", "1", "--why", "spreads"]);
    assert!(raised["tasks"]["open"].as_u64() > handling["tasks"]["open"].as_u64(), "level 1 asks for more");
    hospital.switch(0, &["primary"]);
    assert_eq!(incident(&hospital, 0, &["status"])["phase"], "recovery");
    let ended = incident(&hospital, 3, &["end", "--why", "mended"]);
    assert_eq!(ended["phase"], "summary");
    let timeline: Vec<String> = ended["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["text"].as_str().unwrap().split(':').next().unwrap().to_owned())
        .collect();
    let order = [
        "warning",
        "warning",
        "plan started",
        "switch standby",
        "fence",
        "switch standby",
        "level changed to I, most serious",
        "switch primary",
        "close standby",
        "unfence",
        "switch primary",
        "plan ended",
    ];
    let told: Vec<&str> = timeline.iter().map(String::as_str).filter(|t| !matches!(*t, "export" | "merge")).collect();
    assert_eq!(told, order, "{timeline:?}");
}

#[test]
fn a_warning_that_comes_to_nothing_is_dismissed_and_a_declared_one_is_not() {
    let hospital = hospital();
    incident(&hospital, 0, &["warn", "--department", "x", "one PC"]);
    let dismissed = incident(&hospital, 0, &["dismiss", "--why", "swapped the PC"]);
    assert!(dismissed["ended"].is_string());
    hospital.work.run("his-incident", &["note", "too late"]).expect(4).says("no incident is on");
    let second = incident(&hospital, 0, &["start", "--cause", "network"]);
    assert_eq!((&second["incident"], &second["level"]), (&json!("01-I0002"), &json!(4)), "the lowest, until it is set");
    hospital.work.run("his-incident", &["dismiss", "--why", "no"]).expect(4).says("01-I0002 was declared");
    let again = hospital.work.run("his-incident", &["start", "--cause", "network"]).expect(4);
    assert!(again.stderr.contains("01-I0002 is on already"), "{}", again.shown());
}

#[test]
fn a_task_is_done_once_and_a_late_one_says_by_how_much() {
    let hospital = hospital();
    incident(&hospital, 0, &["start", "--cause", "server", "--level", "2"]);
    let done = incident(&hospital, 0, &["task", "done", "two-signals", "--note", "both dead"]);
    assert_eq!((&done["new"], &done["late_seconds"]), (&json!(true), &json!(null)));
    let again = incident(&hospital, 0, &["task", "done", "two-signals", "--by", "somebody else"]);
    assert_eq!((&again["new"], &again["done"]), (&json!(false), &done["done"]));
    hospital.work.run("his-incident", &["task", "done", "dance"]).expect(2).says("the plan has no such task");
    // A start of an hour ago, as the log would have it: the chain is seeded, so the first line can be written anew, when
    // nothing says where the log ended.
    let log = hospital.work.store().join("incidents.jsonl");
    let first = fs::read_to_string(&log).unwrap().lines().next().unwrap().to_owned();
    let mut record: serde_json::Value = serde_json::from_str(&first).unwrap();
    record["at"] = json!(chrono::Utc::now() - chrono::TimeDelta::minutes(60));
    fs::write(&log, format!("{record}\n")).unwrap();
    fs::remove_file(hospital.work.store().join("incidents.jsonl.head")).unwrap();
    let status = incident(&hospital, 0, &["status"]);
    assert!(status["tasks"]["late"].as_u64().unwrap() > 10, "{status}");
    let late = incident(&hospital, 0, &["task", "done", "judge-scope"]);
    let seconds = late["late_seconds"].as_i64().unwrap();
    assert!((55 * 60..56 * 60).contains(&seconds), "{seconds}");
    let page = hospital.work.run("his-incident", &["status"]).expect(0).stdout;
    assert!(page.contains("LATE "), "{page}");
}

#[test]
fn calls_are_noted_and_counted() {
    let hospital = hospital();
    incident(&hospital, 0, &["start", "--cause", "server", "--level", "2"]);
    incident(&hospital, 0, &["call-list", "--reached", "commander"]);
    incident(&hospital, 0, &["call-list", "--not-reached", "finance", "--note", "no answer"]);
    let status = incident(&hospital, 0, &["status"]);
    let of =
        |role: &str| status["calls"].as_array().unwrap().iter().find(|c| c["role"] == role).unwrap()["reached"].clone();
    assert_eq!((of("commander"), of("finance"), of("lab")), (json!(true), json!(false), json!(null)));
    let page = hospital.work.run("his-incident", &["status"]).expect(0).stdout;
    assert!(page.contains("calls     1 of 13 posts reached"), "{page}");
    hospital.work.run("his-incident", &["call-list", "--reached", "emperor"]).expect(2);
}

#[test]
fn the_plan_does_not_end_while_the_windows_are_away_from_the_primary() {
    let hospital = hospital();
    incident(&hospital, 0, &["start", "--cause", "server"]);
    hospital.open();
    let ran = hospital.work.run("his-incident", &["end", "--why", "home"]).expect(4);
    assert!(
        ran.stderr.contains("still in mode 'standby'") && ran.hint().contains("his-switch primary"),
        "{}",
        ran.shown()
    );
}

#[test]
fn windows_that_were_moved_before_anybody_declared_anything_belong_to_the_incident() {
    let hospital = hospital();
    hospital.open();
    let quiet = incident(&hospital, 0, &["status"]);
    assert!(quiet["next"].as_str().unwrap().contains("no incident was declared"), "{quiet}");
    let started = incident(&hospital, 0, &["start", "--cause", "server"]);
    assert_eq!((&started["events"], &started["phase"]), (&json!(["01-0001"]), &json!("handling")));
}

#[test]
fn it_works_with_both_servers_off_and_two_people_at_once_lose_nothing() {
    let hospital = hospital();
    hospital.primary.stop_immediate();
    hospital.standby.stop_immediate();
    incident(&hospital, 0, &["start", "--cause", "power", "--level", "1"]);
    thread::scope(|scope| {
        for person in 0..8 {
            let hospital = &hospital;
            scope.spawn(move || {
                incident(hospital, 0, &["note", &format!("note {person}"), "--by", &format!("p{person}")])
            });
        }
    });
    let status = incident(&hospital, 0, &["status"]);
    let notes =
        status["timeline"].as_array().unwrap().iter().filter(|e| e["text"].as_str().unwrap().starts_with("note: "));
    assert_eq!(notes.count(), 8, "{status}");
    let starts = thread::scope(|scope| {
        incident(&hospital, 3, &["end", "--why", "over"]);
        let both: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| hospital.work.run("his-incident", &["start", "--cause", "fire"]).code))
            .collect();
        let mut codes: Vec<i32> = both.into_iter().map(|t| t.join().unwrap()).collect();
        codes.sort_unstable();
        codes
    });
    assert_eq!(starts, [0, 4], "one of two who declare at once is told that it is on");
}

#[test]
fn a_log_that_was_changed_is_refused() {
    let hospital = hospital();
    incident(&hospital, 0, &["start", "--cause", "server"]);
    incident(&hospital, 0, &["note", "one"]);
    let log = hospital.work.store().join("incidents.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("\"level\":4", "\"level\":1", 1)).unwrap();
    hospital.work.run("his-incident", &["status"]).expect(5).says("line 2 does not follow from the line before");
}

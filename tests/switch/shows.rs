//! What the switch shows: status, hooks, JSON.

use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::Hospital;
use crate::support::workplace::DB;

#[test]
fn status_has_every_key_of_the_contract_in_each_mode() {
    let hospital = Hospital::new();
    let contract = ["mode", "event", "drill", "since", "data_until", "standby", "primary", "windows", "units"];
    let normal = hospital.status();
    for key in contract {
        assert!(normal.get(key).is_some(), "{key} in {normal}");
    }
    assert_eq!(
        (&normal["mode"], &normal["event"], &normal["drill"], &normal["since"]),
        (&json!("normal"), &json!(null), &json!(false), &json!(null))
    );
    assert_eq!(normal["standby"]["reachable"], true);
    assert_eq!(normal["standby"]["writable"], false);
    assert_eq!(normal["standby"]["snapshot"].as_str().map(str::len), Some(19));
    assert!(normal["standby"]["data_age_seconds"].as_i64().unwrap() < 60);
    assert_eq!(normal["primary"], json!({"reachable": true, "writable": true, "fenced": false}));
    assert_eq!(
        normal["units"],
        json!({"captured": null, "exported": null, "merged": null, "held": null, "rejected": null})
    );

    let _on_primary = hospital.primary.client_as("his_app", DB);
    assert_eq!(hospital.status()["windows"], json!({"on_standby": 0, "on_primary": 1}));
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    let _on_standby = hospital.standby.client_as("his_app", DB);
    let open = hospital.status();
    assert_eq!(
        (&open["mode"], &open["event"], &open["data_until"]),
        (&json!("standby"), &json!("01-0001"), &normal["data_until"])
    );
    assert_eq!(open["standby"]["writable"], true);
    assert_eq!(open["primary"], json!({"reachable": true, "writable": true, "fenced": true}));
    assert_eq!(open["windows"], json!({"on_standby": 1, "on_primary": 0}));
    assert_eq!(open["units"], json!({"captured": 1, "exported": 0, "merged": 0, "held": 0, "rejected": 0}));
}

#[test]
fn status_answers_with_both_servers_off_or_frozen() {
    let hospital = Hospital::new();
    hospital.open();
    hospital.primary.freeze();
    hospital.standby.freeze();
    let began = Instant::now();
    let frozen = hospital.status();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    hospital.primary.stop_immediate();
    hospital.standby.stop_immediate();
    for status in [frozen, hospital.status()] {
        assert_eq!((&status["mode"], &status["event"]), (&json!("standby"), &json!("01-0001")));
        assert_eq!((&status["standby"]["reachable"], &status["standby"]["writable"]), (&json!(false), &json!(null)));
        assert_eq!(status["primary"], json!({"reachable": false, "writable": null, "fenced": null}));
        assert_eq!(status["windows"], json!({"on_standby": null, "on_primary": null}));
        assert_eq!(status["units"]["merged"], json!(null));
        assert!(status["data_until"].is_string());
        assert_eq!(status["fence"], "on");
    }
    let text = hospital.work.run("his-switch", &["status"]).expect(0).stdout;
    assert!(text.contains("standby   cannot be reached") && text.contains("primary   cannot be reached"), "{text}");
}

#[test]
fn status_says_when_the_journal_was_changed() {
    let hospital = Hospital::new();
    let path = hospital.work.store().join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"rows\":20", "\"rows\":21", 1)).unwrap();
    let status = hospital.switch(5, &["status"]);
    assert_eq!(status["journal"]["ok"], false);
    assert!(status["journal"]["broken_line"].is_u64());
    hospital.work.run("his-switch", &["status"]).expect(5).says("DAMAGED: line ");
}

#[test]
fn p4_a_journal_that_was_cut_emptied_removed_or_put_in_another_order_is_seen_by_status_and_his_watch() {
    let mut hospital = Hospital::new();
    hospital.work.set("store", "mirror", "\"mirror\"");
    hospital.load();
    let path = hospital.work.store().join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let all = lines.len();
    let joined = |lines: &[&str]| lines.join("\n") + if lines.is_empty() { "" } else { "\n" };
    let swapped = [&[lines[1], lines[0]], &lines[2..]].concat();
    let doubled = [&lines[..1], &lines[..]].concat();
    for (what, damaged, line) in [
        ("cut", joined(&lines[..all - 1]), all - 1),
        ("cut to one", joined(&lines[..1]), 1),
        ("emptied", String::new(), 1),
        ("in another order", joined(&swapped), 1),
        ("with a line twice", joined(&doubled), 2),
        ("in the middle of a line", text[..text.len() - 20].to_owned(), all),
    ] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(hospital.switch(5, &["status"])["journal"], json!({"ok": false, "broken_line": line}), "{what}");
        let watched = hospital.work.run("his-watch", &["--json"]).json()["checks"].to_string();
        assert!(watched.contains(&format!("the journal, line {line} ")), "{what}: {watched}");
    }
    // What is written after it does not make it whole.
    fs::write(&path, joined(&lines[..all - 1])).unwrap();
    hospital.work.run("his-snapshot", &["-q"]).expect(0);
    assert_eq!(hospital.switch(5, &["status"])["journal"], json!({"ok": false, "broken_line": all}));
    fs::remove_file(&path).unwrap();
    hospital.switch(5, &["status"]);
    // Cut with the note of where it ended: the mirror still has what is gone.
    fs::write(&path, joined(&lines[..all - 1])).unwrap();
    fs::remove_file(hospital.work.store().join("journal.jsonl.head")).unwrap();
    let mirror = hospital.switch(0, &["status"])["mirror"]["reason"].to_string();
    assert_eq!(mirror, "\"it has lines of the journal that the store does not have any more\"");
    fs::write(&path, text).unwrap();
    hospital.switch(0, &["status"]);
}

fn hook(hospital: &Hospital, name: &str, text: &str) -> String {
    let path = hospital.work.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("\"{name}\"")
}

#[test]
fn hooks_run_at_each_move_with_the_event_in_their_environment() {
    let mut hospital = Hospital::new();
    let log = hospital.work.path().join("hooked");
    let line = format!(
        "echo \"$HIS_MOVE $HIS_MODE $HIS_EVENT $HIS_LEVEL $HIS_REASON ${{HIS_DATA_UNTIL%%T*}}\" >> {}; echo noise",
        log.display()
    );
    let name = hook(&hospital, "page", &line);
    hospital.work.set("endpoint", "hooks", &format!("[{name}]"));
    hospital.switch(0, &["standby", "--reason", "no power", "--level", "2"]);
    hospital.switch(0, &["paper"]);
    hospital.switch(0, &["primary"]);
    hospital.switch(0, &["drill"]);
    let day = chrono::Utc::now().format("%Y-%m-%d").to_string();
    let lines = fs::read_to_string(&log).unwrap();
    let expected = [
        format!("standby standby 01-0001 2 no power {day}"),
        format!("paper paper 01-0001 2 no power {day}"),
        format!("primary normal 01-0001 2 no power {day}"),
        format!("drill normal 01-D1  drill {day}"),
    ];
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_hook_that_fails_or_hangs_is_a_warning_and_exit_3_and_the_move_is_done() {
    let mut hospital = Hospital::new();
    let (fails, hangs, absent) =
        (hook(&hospital, "fails", "exit 9"), hook(&hospital, "hangs", "sleep 100"), "\"absent\"");
    hospital.work.set("endpoint", "hooks", &format!("[{fails}, {hangs}, {absent}]"));
    let began = Instant::now();
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "x"]).expect(3);
    assert!(began.elapsed() < Duration::from_secs(15));
    for text in ["fails' ended with exit status: 9", "hangs' did not end within 10 s", "absent' cannot be run"] {
        assert!(ran.stderr.contains(text), "{}", ran.stderr);
    }
    assert_eq!(hospital.side(), "standby");
    let status = hospital.status();
    assert_eq!((&status["mode"], &status["moving"]), (&json!("standby"), &json!(null)));
}

#[test]
fn p12_a_drill_whose_hook_fails_is_exit_3() {
    let mut hospital = Hospital::new();
    hospital.work.set("endpoint", "hooks", "[\"/bin/false\"]");
    let drill = hospital.switch(3, &["drill"]);
    assert!(drill["warnings"][0].as_str().unwrap().contains("/bin/false"), "{drill}");
}

#[test]
fn a_refusal_is_one_json_object_with_its_hint() {
    let hospital = Hospital::new();
    let error = hospital.switch(4, &["primary"]);
    let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["error", "hint", "exit"]);
    assert_eq!(error["exit"], 4);
}

#[test]
fn every_move_has_a_dry_run_that_changes_nothing() {
    let hospital = Hospital::new();
    let state = || fs::read_to_string(hospital.work.store().join("state.json")).unwrap_or_default();
    let before = state();
    for args in [
        &["standby", "--reason", "x"][..],
        &["standby", "--planned", "--reason", "x"],
        &["paper"],
        &["drill"],
        &["fence"],
        &["unfence"],
    ] {
        let args: Vec<&str> = args.iter().chain(&["--dry-run"]).copied().collect();
        hospital.work.run("his-switch", &args).expect(0).says("nothing was changed (dry run)");
        assert_eq!(state(), before, "{args:?}");
    }
    assert_eq!(hospital.side(), "primary");
    hospital.open();
    let before = state();
    for args in [["primary", "--dry-run"], ["paper", "--dry-run"]] {
        hospital.work.run("his-switch", &args).expect(0);
        assert_eq!(state(), before, "{args:?}");
    }
    assert_eq!(hospital.side(), "standby");
}

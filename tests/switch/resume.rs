//! P7: a move killed at any instant and run again ends as if it had run once. And a standby that died open.

use serde_json::json;
use std::time::Duration;

use super::Hospital;
use crate::support::workplace::DB;

#[test]
fn p7_a_move_killed_at_any_moment_is_finished_by_the_same_command() {
    let hospital = Hospital::new();
    let mut asked = 0;
    for round in 0..20_u64 {
        if round > 0 {
            hospital.load();
        }
        let event = format!("01-{:04}", round + 1);
        let pause = Duration::from_millis(5 + round * 17);
        let standby = ["standby", "--reason", "killed"];
        let killed = hospital.work.start("his-switch", &standby);
        std::thread::sleep(pause);
        killed.kill();
        let opened = hospital.switch(0, &standby);
        let state = hospital.status();
        assert_eq!((&opened["mode"], &state["mode"]), (&json!("standby"), &json!("standby")), "round {round}");
        // A run that was killed after its epoch was written keeps it; none is used twice and none is skipped.
        assert_eq!((&opened["event"], &state["moving"]), (&json!(event), &json!(null)), "round {round}");
        assert_eq!(hospital.side(), "standby", "round {round}");
        asked += 1;
        let killed = hospital.work.start("his-switch", &["primary"]);
        std::thread::sleep(pause * 2);
        killed.kill();
        // When the kill came after the last act, there is nothing left to do.
        let ran = hospital.work.run("his-switch", &["primary"]);
        assert!(ran.code == 0 || ran.code == 4 && ran.stderr.contains("they are there already"), "{}", ran.shown());
        let state = hospital.status();
        assert_eq!(
            (&state["mode"], &state["moving"], &state["fence"]),
            (&json!("normal"), &json!(null), &json!("off")),
            "round {round}"
        );
        assert_eq!(
            state["units"],
            json!({"captured": 1, "exported": 1, "merged": 1, "held": 0, "rejected": 0}),
            "round {round}"
        );
        assert_eq!(hospital.side(), "primary", "round {round}");
        let count = hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'asks' AND id >= 900000");
        assert_eq!(count, asked.to_string(), "round {round}");
        assert_eq!(hospital.standby.value(DB, "SELECT last_value FROM his_emergency.gate"), "0");
    }
    let status = hospital.status();
    assert_eq!(status["journal"], json!({"ok": true, "broken_line": null}));
}

#[test]
fn p7_paper_killed_at_any_moment_is_finished_by_the_same_command() {
    let hospital = Hospital::new();
    hospital.open();
    for round in 0..10_u64 {
        assert_eq!(hospital.side(), "standby", "round {round}");
        let killed = hospital.work.start("his-switch", &["paper"]);
        std::thread::sleep(Duration::from_millis(3 + round * 15));
        killed.kill();
        let ran = hospital.work.run("his-switch", &["paper"]);
        assert!(ran.code == 0 || ran.code == 4 && ran.stderr.contains("on paper already"), "{}", ran.shown());
        assert_eq!(hospital.status()["mode"], "paper");
        hospital.switch(0, &["standby"]);
    }
    let back = hospital.switch(0, &["primary"]);
    assert_eq!(back["units"], json!({"captured": 10, "merged": 10, "held": 0, "rejected": 0}));
}

#[test]
fn a_return_that_is_broken_off_can_go_back_to_the_standby_and_nothing_is_lost() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    let killed = hospital.work.start("his-switch", &["primary"]);
    let closed = || hospital.journal("switch primary").contains(&"close standby done".to_owned());
    crate::support::wait_until("the standby is closed", super::SOON, closed);
    killed.kill();
    hospital.primary.stop_immediate();
    let ran = hospital.work.run("his-switch", &["primary"]);
    if ran.code == 4 {
        // It had come through before the kill.
        return;
    }
    assert_eq!(ran.code, 6, "{}", ran.shown());
    let opened = hospital.switch(0, &["standby"]);
    assert_eq!(opened["generation"], 1);
    assert_eq!(hospital.side(), "standby");
    hospital.primary.start_again();
    hospital.switch(0, &["primary"]);
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'asks'"), "2");
}

#[test]
fn p12_a_return_that_was_killed_at_its_end_still_says_what_is_held() {
    let hospital = Hospital::new();
    hospital.open();
    hospital.standby.execute(DB, "UPDATE op.charge SET who = 'standby' WHERE id = 1");
    hospital.primary.execute(DB, "UPDATE op.charge SET who = 'primary' WHERE id = 1");
    hospital.switch(3, &["primary"]);
    // What a kill between the hooks and the end leaves: the windows are back, the move is not forgotten.
    let path = hospital.work.store().join("state.json");
    let mut state: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    state["moving"] = json!({"to": "normal", "begun_at": "2026-11-23T01:02:03Z", "step": "hooks"});
    std::fs::write(&path, state.to_string()).unwrap();
    let again = hospital.switch(3, &["primary"]);
    assert_eq!((&again["mode"], &again["units"]["held"]), (&json!("normal"), &json!(1)));
    assert!(again["warnings"][0].as_str().unwrap().contains("1 units are held"), "{again}");
    assert_eq!(hospital.status()["moving"], json!(null));
}

#[test]
fn a_standby_that_died_open_stays_shut_until_it_is_confirmed_and_skips_numbers() {
    let hospital = Hospital::new();
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    hospital.standby.stop_immediate();
    hospital.standby.start_again();
    assert!(hospital.side().contains("was restarted while open"), "{}", hospital.side());
    let status = hospital.status();
    assert_eq!((&status["standby"]["gate"], &status["standby"]["writable"]), (&json!("died open"), &json!(false)));
    assert_eq!(status["next"], "run `his-switch standby` to confirm the standby that died open");
    let confirmed = hospital.switch(0, &["standby"]);
    assert_eq!((&confirmed["confirmed"], &confirmed["event"]), (&json!(true), &json!("01-0001")));
    assert_eq!(hospital.side(), "standby");
    let ids = hospital.standby.rows(DB, "SELECT id FROM op.charge WHERE id >= 900000 ORDER BY id");
    let ids: Vec<i64> = ids.iter().map(|id| id.parse().unwrap()).collect();
    assert!(ids.len() == 2 && ids[1] - ids[0] >= 1000, "{ids:?}");
    assert!(hospital.journal("confirm").contains(&"confirm standby done".to_owned()));
    assert_eq!(hospital.switch(0, &["primary"])["units"]["merged"], 2);
}

#[test]
fn p7_a_planned_opening_killed_at_any_moment_is_finished_without_a_gap() {
    let hospital = Hospital::new();
    for round in 0..8_u64 {
        let planned = ["standby", "--planned", "--reason", "new disks"];
        hospital.primary.execute(DB, &format!("INSERT INTO op.charge (total, who) VALUES (1, 'late {round}')"));
        let killed = hospital.work.start("his-switch", &planned);
        std::thread::sleep(Duration::from_millis(20 + round * 90));
        killed.kill();
        let opened = hospital.switch(0, &planned);
        assert_eq!(opened["mode"], "standby", "round {round}");
        let late = format!("SELECT count(*) FROM op.charge WHERE who = 'late {round}'");
        assert_eq!(hospital.standby.value(DB, &late), "1", "round {round}");
        assert_eq!(hospital.side(), "standby", "round {round}");
        hospital.switch(0, &["primary"]);
        assert_eq!(hospital.side(), "primary", "round {round}");
    }
}

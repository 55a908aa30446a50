//! Generations come, stay and go; `rollback` and `list`.

use super::{Hospital, LEDGER};
use crate::support::wait_until;
use crate::support::workplace::DB;
use serde_json::json;
use std::fs;
use std::time::Duration;

#[test]
fn a_snapshot_that_is_loaded_is_not_loaded_again_and_one_rolled_back_only_by_name() {
    let h = Hospital::small(10);
    let first = h.snapshot();
    h.load();
    let again = h.work.json(0, "his-load-standby", &[]);
    assert_eq!((&again["new"], &again["generation"], &again["verified"]), (&json!(false), &json!(1), &json!(true)));
    h.work.run("his-load-standby", &[]).expect(0).says("nothing to do");
    h.refused(4, &["rollback"], "there is none before generation 1", "his-load-standby ID");
    h.primary.execute(DB, "INSERT INTO t (v) VALUES ('second')");
    let second = h.snapshot();
    h.load();
    assert_eq!(h.states(), ["1 closed", "2 closed next"]);
    h.work.run("his-load-standby", &["rollback", "--dry-run"]).expect(0).says("would set generation 2 aside");
    assert_eq!(h.states(), ["1 closed", "2 closed next"]);
    let back = h.work.json(0, "his-load-standby", &["rollback"]);
    assert_eq!((&back["retired"], &back["generation"], &back["snapshot"]), (&json!(2), &json!(1), &json!(first)));
    assert_eq!(h.states(), ["1 closed next", "2 retired"]);
    h.refused(4, &["rollback"], "there is none before generation 1", "his-load-standby ID");
    h.refused(4, &[], "it was rolled back (generation 2)", &format!("his-load-standby {second}"));
    let named = h.work.json(0, "his-load-standby", &[&second]);
    assert_eq!((&named["generation"], &named["dropped"]), (&json!(3), &json!([])));
    assert_eq!(h.states(), ["1 closed", "2 retired", "3 closed next"]);
    // What is needed no more goes before the next load, or when there is nothing to load.
    let again = h.work.json(0, "his-load-standby", &[&second]);
    assert_eq!((&again["new"], &again["dropped"]), (&json!(false), &json!(["his_g2"])));
    assert_eq!(h.states(), ["1 closed", "3 closed next"]);
    // Going back to a generation that was opened before is refused: it is opened fresh once.
    h.standby
        .execute("his_g1", "BEGIN READ WRITE; UPDATE his_emergency.generation SET opened_event = '01-0001'; COMMIT");
    h.refused(4, &["rollback"], "it was opened already, in event '01-0001'", "his-load-standby ID");
}

#[test]
fn a_load_killed_while_it_drops_an_old_generation_is_finished_by_the_next_run() {
    let h = Hospital::small(10);
    for _ in 0..3 {
        h.snapshot();
        h.load();
    }
    h.snapshot();
    // Lets the load connect to the old generation, and makes its DROP DATABASE wait.
    let mut holder = h.standby.client("postgres");
    holder.batch_execute("BEGIN; COMMENT ON DATABASE his_g1 IS 'held'").expect("held");
    let load = h.work.start("his-load-standby", &[]);
    wait_until("it drops", Duration::from_secs(20), || {
        h.standby.value(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'DROP DATABASE.*his_g1' AND wait_event_type = 'Lock'",
        ) == "1"
    });
    load.kill();
    let drop = "FROM pg_stat_activity WHERE query ~ 'DROP DATABASE.*his_g1' AND pid <> pg_backend_pid()";
    h.standby.execute("postgres", &format!("SELECT pg_terminate_backend(pid) {drop}"));
    wait_until("its session ends", Duration::from_secs(20), || {
        h.standby.value("postgres", &format!("SELECT count(*) {drop}")) == "0"
    });
    assert_eq!(h.databases(), ["his_g1", "his_g2", "his_g3"]);
    holder.batch_execute("ROLLBACK").expect("let go");
    let plan = h.work.json(0, "his-load-standby", &["--dry-run"]);
    assert_eq!(plan["plan"][0], "drop 'his_g1', when its units are settled");
    assert_eq!(h.load()["dropped"], json!(["his_g1"]));
    assert_eq!(h.databases(), ["his_g2", "his_g3", "his_g4"]);
}

#[test]
fn p6_nothing_open_is_thrown_away_a_generation_stays_until_the_ledger_shows_its_units() {
    let h = Hospital::small(10);
    h.snapshot();
    h.load();
    h.opened("his_g1");
    h.write("his_g1", "INSERT INTO t (v) VALUES ('new')");
    h.closed("his_g1");
    // Exported and lost from the store, but merged: the ledger counts, not the mark.
    h.write("his_g1", "INSERT INTO his_emergency.exported SELECT xid, '01-0001', 1 FROM his_emergency.unit");
    let xid = h.standby.value("his_g1", "SELECT xid FROM his_emergency.unit");
    for expected in [2, 3] {
        h.snapshot();
        assert_eq!(h.load()["generation"], expected);
    }
    assert_eq!(h.databases(), ["his_g1", "his_g2", "his_g3"]);
    h.primary.stop_fast();
    h.primary.start_again();
    // Units of another generation, and another unit of this one, are not these.
    let in_ledger = |generation: u64, xid: &str| {
        h.primary.execute(DB, &format!("INSERT INTO his_emergency.unit (event, generation, xid, batch, status, rows, run) VALUES ('01-0001', {generation}, {xid}, 1, 'held', 1, 1)"));
    };
    h.primary.execute(DB, LEDGER);
    h.primary.execute(DB, "INSERT INTO his_emergency.merge_run (event, by, host) VALUES ('01-0001', 'x', 'x'); INSERT INTO his_emergency.event VALUES ('01-0001', 1)");
    in_ledger(2, &xid);
    in_ledger(1, &format!("{xid}0"));
    h.snapshot();
    let kept = h.load();
    assert_eq!(
        kept["kept"],
        json!([{"database": "his_g1", "reason": "the primary's ledger does not show all of its units as merged, held or rejected"}])
    );
    in_ledger(1, &xid);
    let id = h.snapshot();
    h.primary.stop_fast();
    let kept = h.work.json(0, "his-load-standby", &[&id]);
    assert_eq!(
        kept["kept"],
        json!([{"database": "his_g1", "reason": "the primary cannot be asked whether its units are merged"}])
    );
    h.primary.start_again();
    h.snapshot();
    assert_eq!(h.load()["dropped"], json!(["his_g1", "his_g3"]));
    assert_eq!(h.databases(), ["his_g4", "his_g5", "his_g6"]);
}

#[test]
fn p6_nothing_open_is_thrown_away_an_old_generation_that_was_opened_during_the_load_stays() {
    let h = Hospital::small(10);
    for _ in 0..2 {
        h.snapshot();
        h.load();
    }
    h.primary.execute(DB, "INSERT INTO t (v) SELECT 'v' FROM generate_series(1, 200000)");
    h.snapshot();
    let mut load = h.work.start("his-load-standby", &["--json"]);
    load.wait_for("read back");
    h.opened("his_g1");
    load.wait().expect(0);
    assert_eq!(h.databases(), ["his_g1", "his_g2", "his_g3"]);
    h.refused(4, &[], "the standby is open", "his-switch primary");
    assert_eq!(h.databases(), ["his_g1", "his_g2", "his_g3"]);
    h.write("his_g1", "INSERT INTO t (v) VALUES ('new')");
    h.closed("his_g1");
    h.primary.stop_fast();
    let kept = h.work.json(0, "his-load-standby", &[]);
    let reason = "the primary cannot be asked whether its units are merged";
    assert_eq!(kept["kept"], json!([{"database": "his_g1", "reason": reason}]));
}

#[test]
fn p7_once_a_rollback_killed_before_it_could_say_so_does_not_go_back_twice() {
    let h = Hospital::small(10);
    for _ in 0..3 {
        h.snapshot();
        h.load();
    }
    assert_eq!(h.states(), ["1 closed", "2 closed", "3 closed next"]);
    h.snapshot();
    h.work.run("his-load-standby", &["rollback"]).expect(0);
    let journal = h.work.store().join("journal.jsonl");
    let text = fs::read_to_string(&journal).expect("a journal");
    let lines: Vec<&str> = text.lines().collect();
    // As if killed between the act and the line that says that it is done.
    fs::write(&journal, lines[..lines.len() - 1].join("\n") + "\n").expect("it can be written");
    let again = h.work.json(0, "his-load-standby", &["rollback"]);
    assert_eq!((&again["retired"], &again["generation"]), (&json!(3), &json!(2)));
    assert_eq!(h.states(), ["1 closed", "2 closed next", "3 retired"]);
}

#[test]
fn a_dry_run_prints_the_plan_and_changes_nothing() {
    let h = Hospital::small(10);
    let id = h.snapshot();
    h.standby.create_database("his_g7_loading");
    let plan = h.work.json(0, "his-load-standby", &["--dry-run"]);
    assert_eq!((&plan["dry_run"], &plan["snapshot"], &plan["generation"]), (&json!(true), &json!(id), &json!(8)));
    assert_eq!(plan["plan"][0], "drop 'his_g7_loading', which an unfinished run left behind");
    assert_eq!(h.databases(), ["his_g7_loading"]);
    assert_eq!(h.load()["generation"], 8);
    assert_eq!(h.databases(), ["his_g8"]);
    assert_eq!(h.work.json(0, "his-load-standby", &["--dry-run"])["plan"], json!([]));
}

#[test]
fn p5_a_generation_that_has_lost_a_guard_is_not_brought_forward_but_another_is_built_that_has_all() {
    let mut h = Hospital::small(100);
    h.work.set("store", "full_every", "\"1d\"");
    let take = || assert_eq!(h.work.json(0, "his-snapshot", &[])["kind"], "delta");
    h.snapshot();
    h.load();
    for (n, lost) in (1..).zip([
        "ALTER EVENT TRIGGER his_emergency_drop DISABLE",
        "ALTER EVENT TRIGGER his_emergency_ddl DISABLE; ALTER TABLE t DISABLE TRIGGER \"!his_emergency_gate\"; ALTER EVENT TRIGGER his_emergency_ddl ENABLE ALWAYS",
    ]) {
        take();
        assert_eq!(h.load()["generation"], json!(n), "it is guarded");
        h.write(&format!("his_g{n}"), lost);
        take();
        let ran = h.work.run("his-load-standby", &[]).expect(0).says(&format!("generation {n} lacks the "));
        assert!(ran.stderr.contains("so it is not brought forward"), "{}", ran.shown());
        let checked = h.work.run("his-load-standby", &["check", "--json"]).json();
        let newest = format!("'his_g{}': gate, capture and guard against DDL are in place", n + 1);
        let found = checked["findings"].as_array().expect("a list");
        assert!(found.iter().any(|f| f["text"] == json!(newest)), "{checked}");
    }
}

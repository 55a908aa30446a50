//! A primary that is at work while it is merged into, and runs that meet one another.

use super::double::{REGISTER, clinic};
use crate::support::workplace::DB;
use crate::support::{Outcome, Windows, wait_until};
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;

/// One slot sold and one charge, on the row that every unit of the merge touches too.
const SELL: &str = "SET LOCAL lock_timeout = '3s';
UPDATE h.schedule SET slots_left = slots_left - 1 WHERE id = 1;
INSERT INTO h.charge (visit_id, total) VALUES (1 + :client % 5, 0.01)";

#[test]
fn a_merge_under_live_traffic_makes_no_window_wait_longer_than_the_lock_timeout_and_loses_nothing() {
    let o = clinic();
    for cluster in [&o.primary, &o.standby] {
        cluster.execute(DB, "UPDATE h.schedule SET slots_left = 1000000");
    }
    o.standby.execute(DB, "TRUNCATE his_emergency.change_2; DELETE FROM his_emergency.unit");
    o.standby.psql(DB, "DO $$ BEGIN FOR i IN 1..3000 LOOP UPDATE h.schedule SET slots_left = slots_left - 1 WHERE id = 1; INSERT INTO h.charge (visit_id, total) VALUES (1, 1); COMMIT; END LOOP; END $$");
    o.work.run("his-export-queue", &[]).expect(0);
    let windows = Windows::new(&o.primary.libpq(DB), SELL).persistent().pause(Duration::from_millis(5)).open();
    windows.wait_for_every_client(&o.primary);
    let json = o.work.json(0, "his-merge", &["--early"]);
    assert_eq!(json["units"], json!({"captured": 3000, "merged": 3000, "held": 0, "rejected": 0}));
    windows.wait_for_every_client(&o.primary);
    let log = windows.close();
    let refused: Vec<_> = log.iter().filter(|a| a.outcome != Outcome::Committed).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let sold = log.len();
    assert_eq!(o.rows("SELECT 1000000 - slots_left FROM h.schedule WHERE id = 1"), [(3000 + sold).to_string()]);
    assert_eq!(o.rows("SELECT count(*) FROM h.charge WHERE total = 0.01"), [sold.to_string()]);
    assert_eq!(o.rows("SELECT count(*) FROM h.charge WHERE total = 1"), ["3000"]);
}

#[test]
fn a_row_that_a_window_of_the_primary_holds_is_waited_for_and_then_told_and_the_next_run_goes_on() {
    let o = clinic();
    o.window(&[
        "UPDATE h.patient SET name = 'ours' WHERE id = 1",
        "INSERT INTO h.charge (visit_id, total) VALUES (1, 1)",
    ]);
    let mut holder = o.primary.client(DB);
    holder.batch_execute("BEGIN; UPDATE h.patient SET id_no = 'held' WHERE id = 1").expect("held");
    o.work.run("his-export-queue", &[]).expect(0);
    let mut run = o.work.start("his-merge", &["--early"]);
    wait_until("the merge waits for the window", Duration::from_secs(30), || {
        o.primary.value(
            DB,
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'his-merge' AND wait_event_type = 'Lock'",
        ) == "1"
    });
    assert!(run.running());
    holder.batch_execute("COMMIT").expect("let go");
    run.wait().expect(0);
    assert_eq!(o.rows("SELECT name, id_no FROM h.patient WHERE id = 1"), ["ours|held"]);
}

#[test]
fn a_merge_killed_at_any_moment_and_run_again_ends_as_if_it_had_run_once() {
    let o = clinic();
    o.standby.psql(DB, "DO $$ BEGIN FOR i IN 1..2000 LOOP UPDATE h.schedule SET slots_left = slots_left - 1 WHERE id = 2; INSERT INTO h.charge (visit_id, total) VALUES (2, 1); COMMIT; END LOOP; END $$");
    o.window(&[
        REGISTER,
        "INSERT INTO h.charge (visit_id, total) VALUES (currval('h.visit_id_seq'), 3)"
            .replace("currval('h.visit_id_seq')", "900001")
            .as_str(),
    ]);
    o.meanwhile(REGISTER);
    o.work.run("his-export-queue", &[]).expect(0);
    for tenths in 1..12u64 {
        let run = o.work.start("his-merge", &["--early"]);
        std::thread::sleep(Duration::from_millis(tenths * 60));
        run.signal(Signal::KILL);
        run.wait();
    }
    wait_until("the last one's session has ended", Duration::from_secs(20), || {
        o.primary.value(DB, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'his-merge'") == "0"
    });
    let json = o.work.json(3, "his-merge", &["--early"]);
    assert_eq!(
        (&json["units"], &json["balanced"]),
        (&json!({"captured": 2002, "merged": 2000, "held": 2, "rejected": 0}), &json!(true))
    );
    assert_eq!(o.rows("SELECT slots_left FROM h.schedule ORDER BY id"), ["9", "-1990", "10"]);
    assert_eq!(o.rows("SELECT count(*), sum(total) FROM h.charge WHERE id > 900000"), ["2000|2000.00"]);
    assert_eq!(o.conflicts(), ["depends -", "twin h.visit"]);
}

#[test]
fn batches_from_a_stick_merge_without_the_store_and_one_missing_in_the_middle_is_named() {
    let o = clinic();
    for n in 1..=3 {
        o.window(&[&format!("INSERT INTO h.charge (visit_id, total) VALUES (1, {n})")]);
        o.work.run("his-export-queue", &[]).expect(0);
    }
    let queue = o.work.store().join("queue/01-0001");
    let stick = o.work.store().parent().expect("a place").join("stick");
    std::fs::rename(&queue, &stick).expect("carried away");
    let dir = |n: u32| stick.join(format!("{n:06}")).to_string_lossy().into_owned();
    let ran = o.work.run("his-merge", &["--early", &dir(1), &dir(3)]).expect(5);
    assert!(ran.stderr.contains("batch 2 is the next"), "{}", ran.stderr);
    assert_eq!(o.rows("SELECT total FROM h.charge WHERE id > 900000 ORDER BY 1"), ["1.00"]);
    o.work.run("his-merge", &["--early", &dir(2), &dir(3)]).expect(0);
    assert_eq!(o.rows("SELECT total FROM h.charge WHERE id > 900000 ORDER BY 1"), ["1.00", "2.00", "3.00"]);
}

#[test]
fn the_same_unit_with_other_content_is_damage_and_not_a_skip() {
    let o = clinic();
    o.window(&["INSERT INTO h.charge (visit_id, total) VALUES (1, 5)"]);
    o.merge(0);
    // What a forged or mixed-up ledger and store would look like: the batch is unknown, its unit is known otherwise.
    o.meanwhile("DELETE FROM his_emergency.batch; UPDATE his_emergency.unit SET hash = '1'");
    let ran = o.work.run("his-merge", &["--early"]).expect(5);
    assert!(ran.stderr.contains("the ledger knows a unit of that id with other content"), "{}", ran.stderr);
}

#[test]
fn a_dry_run_prints_the_plan_that_a_run_carries_out_and_leaves_not_even_a_ledger() {
    let o = clinic();
    o.window(&[
        REGISTER,
        "INSERT INTO h.charge (visit_id, total) VALUES (900001, 3)",
        "INSERT INTO h.charge (visit_id, total) VALUES (1, 3)",
    ]);
    o.meanwhile(REGISTER);
    o.work.run("his-export-queue", &[]).expect(0);
    let before = o.primary.digest(DB);
    let plan = o.work.json(0, "his-merge", &["--dry-run"]);
    assert_eq!(plan["units"], json!({"merged": 1, "held": 2, "rejected": 0}));
    assert_eq!(
        (&plan["conflicts"][0]["kind"], &plan["conflicts"][0]["table"], plan["conflicts"].as_array().map(Vec::len)),
        (&json!("twin"), &json!("h.visit"), Some(1))
    );
    assert_eq!(o.primary.digest(DB), before);
    assert_eq!(o.rows("SELECT to_regnamespace('his_emergency')"), [""]);
    let done = o.work.json(3, "his-merge", &["--early"]);
    assert_eq!(done["units"], json!({"captured": 3, "merged": 1, "held": 2, "rejected": 0}));
}

#[test]
fn dependence_reaches_through_a_held_unit_of_an_earlier_event() {
    let o = clinic();
    o.window(&[REGISTER, "UPDATE h.patient SET name = 'ours' WHERE id = 1"]);
    o.meanwhile(REGISTER);
    o.work.run("his-export-queue", &[]).expect(0);
    // The second event opens before the first is merged at all.
    o.second_event();
    o.window(&[
        "INSERT INTO h.charge (visit_id, total) VALUES (900001, 3)",
        "UPDATE h.patient SET id_no = 'ours' WHERE id = 1",
        "INSERT INTO h.charge (visit_id, total) VALUES (1, 3)",
    ]);
    let json = o.merge(3);
    assert_eq!(
        (&json["event"], &json["units"]),
        (&json!("01-0002"), &json!({"captured": 3, "merged": 2, "held": 1, "rejected": 0}))
    );
    assert_eq!(o.conflicts(), ["depends -", "twin h.visit"]);
    let first = o.rows("SELECT event, status, count(*) FROM his_emergency.unit GROUP BY 1, 2 ORDER BY 1, 2");
    assert_eq!(first, ["01-0001|held|1", "01-0001|merged|1", "01-0002|held|1", "01-0002|merged|2"]);
    let id = super::conflict(&o, "twin")["id"].to_string();
    o.work.run("his-merge", &["resolve", &id, "--take", "link={\"id\":\"6\"}", "--why", "same visit"]).expect(0);
    assert_eq!(o.rows("SELECT count(*) FROM his_emergency.unit WHERE status <> 'merged'"), ["0"]);
    assert_eq!(o.rows("SELECT visit_id FROM h.charge WHERE id > 900000 ORDER BY id"), ["6", "1"]);
}

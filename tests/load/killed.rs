//! Loads that are killed, cut off or left standing.

use super::{Hospital, LEFT_OUT};
use crate::support::workplace::DB;
use crate::support::{assert_same_tables, wait_until};
use rustix::process::Signal;
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn p16_the_emergency_comes_first_a_load_whose_sessions_are_ended_leaves_nothing() {
    let h = Hospital::small(200_000);
    h.work.run("his-load-standby", &["init"]).expect(0);
    h.snapshot();
    let mut load = h.work.start("his-load-standby", &[]);
    load.wait_for("read back");
    let ours = "FROM pg_stat_activity WHERE application_name = 'his-load-standby' AND backend_type = 'client backend'";
    wait_until("it works", Duration::from_secs(20), || {
        h.standby.value("postgres", &format!("SELECT count(*) >= 2 {ours}")) == "t"
    });
    let strangers = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname ~ '_loading$' AND backend_type = 'client backend' AND pid NOT IN (SELECT pid {ours})"
    );
    assert_eq!(h.standby.value("postgres", &strangers), "0", "every session of a load bears its name");
    h.standby.execute("postgres", &format!("SELECT pg_terminate_backend(pid) {ours}"));
    load.wait().expect(6);
    assert_eq!(h.databases(), ["his"]);
    assert_eq!(h.load()["new"], true);
}

#[test]
fn a_standby_that_dies_under_a_load_is_exit_6_and_nothing_is_visible() {
    let h = Hospital::small(200_000);
    h.snapshot();
    let mut load = h.work.start("his-load-standby", &[]);
    load.wait_for("read back");
    h.standby.stop_immediate();
    let ran = load.wait().expect(6);
    assert!(ran.hint().contains("check that the server runs"), "{}", ran.hint());
    h.standby.start_again();
    assert_eq!(h.states(), [""; 0]);
    assert_eq!(h.load()["new"], true);
    assert_eq!(h.databases().len(), 1);
    assert_same_tables((&h.primary, DB), (&h.standby, &h.databases()[0]), &[]);
}

#[test]
fn p7_once_a_load_killed_at_any_moment_and_run_again_ends_in_the_same_state() {
    let h = Hospital::new();
    h.work.run("his-load-standby", &["init"]).expect(0);
    h.snapshot();
    h.load();
    let mut longest = Duration::from_millis(600);
    for round in 0..20u32 {
        h.primary.execute(DB, "INSERT INTO op.charge (patient_id, total) VALUES (1, 5)");
        let id = h.snapshot();
        let began = Instant::now();
        let load = h.work.start("his-load-standby", &[]);
        std::thread::sleep(longest * (round * 7 % 20) / 20);
        let killed = load.kill();
        let took = began.elapsed();
        let again = h.load();
        if killed.code == 0 {
            longest = longest.min(took);
            assert_eq!(again["new"], false);
        }
        assert_eq!(again["snapshot"], json!(id));
        let databases = h.databases();
        let newest = again["database"].as_str().expect("a name").to_owned();
        assert!(databases.iter().all(|d| !d.ends_with("_loading")), "{databases:?}");
        assert!(databases.len() <= 4 && databases.contains(&newest), "{databases:?}");
        assert_same_tables((&h.primary, DB), (&h.standby, &newest), &LEFT_OUT);
        assert_eq!(h.standby.rows(&newest, "SELECT current_no FROM op.skd ORDER BY 1"), ["505", "507"]);
    }
    h.work.run("his-load-standby", &["check"]).expect(0);
}

#[test]
fn a_frozen_load_can_be_killed_and_its_lock_is_free_at_once() {
    let h = Hospital::small(200_000);
    h.snapshot();
    let mut load = h.work.start("his-load-standby", &[]);
    load.wait_for("read back");
    load.freeze();
    load.signal(Signal::KILL);
    load.wait().expect(137);
    assert_eq!(h.load()["generation"], 2);
    assert_eq!(h.databases(), ["his_g2"]);
}

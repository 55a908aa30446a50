//! What a drill and an opening leave as it was.

use serde_json::json;
use std::fs;

use super::Hospital;
use crate::support::workplace::DB;

#[test]
fn a_drill_touches_neither_mode_nor_fence_nor_numbers_and_its_units_can_never_be_merged() {
    let hospital = Hospital::new();
    let file = hospital.work.path().join("work.sql");
    fs::write(&file, "INSERT INTO op.charge (total, who) VALUES (3, 'drill'), (4, 'drill');").unwrap();
    let before = hospital.status();
    let drill = hospital.switch(0, &["drill", "--workload", &file.to_string_lossy()]);
    assert_eq!(
        (&drill["event"], &drill["mode"], &drill["units"], &drill["rows"]),
        (&json!("01-D1"), &json!("normal"), &json!(1), &json!(2))
    );
    let steps: Vec<&str> = drill["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["load", "open", "workload", "close", "export", "drop"]);
    let mut after = hospital.status();
    after["standby"]["data_age_seconds"] = before["standby"]["data_age_seconds"].clone();
    assert_eq!(after, before);
    assert_eq!(
        hospital.standby.rows("postgres", "SELECT datname FROM pg_database WHERE datname LIKE '%drill%'"),
        [""; 0]
    );
    let batch = hospital.work.store().join("drills/01-D1/000001");
    let ran = hospital.work.run("his-merge", &[&*batch.to_string_lossy()]);
    assert_eq!(ran.code, 4, "{}", ran.shown());
    assert_eq!(hospital.work.json(0, "his-merge", &[])["event"], json!(null));
    // The real thing begins its numbers where they begin.
    hospital.open();
    assert_eq!(hospital.side(), "standby");
    assert_eq!(hospital.standby.value(DB, "SELECT max(id) FROM op.charge"), "900000");
    hospital.work.run("his-switch", &["drill"]).expect(4).says("this is no time for it");
}

#[test]
fn a_drill_whose_workload_fails_leaves_nothing_behind() {
    let hospital = Hospital::new();
    let file = hospital.work.path().join("work.sql");
    fs::write(&file, "SELECT 1/0;").unwrap();
    hospital
        .work
        .run("his-switch", &["drill", "--workload", &file.to_string_lossy()])
        .expect(1)
        .says("division by zero");
    assert_eq!(hospital.standby.value("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'his_drill'"), "0");
    hospital.work.run("his-switch", &["drill", "--workload", "/nowhere"]).expect(2);
    assert_eq!(hospital.switch(0, &["drill"])["event"], "01-D2");
}

#[test]
fn the_generation_before_is_kept_under_its_own_name() {
    let hospital = Hospital::new();
    hospital.open();
    hospital.side();
    hospital.switch(0, &["primary"]);
    hospital.load();
    hospital.open();
    let names =
        hospital.standby.rows("postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'his%' ORDER BY 1");
    assert!(names.contains(&"his".to_owned()) && names.contains(&"his_g1".to_owned()), "{names:?}");
    assert_eq!(hospital.standby.value(DB, "SELECT generation FROM his_emergency.generation"), "2");
    assert_eq!(hospital.standby.value("his_g1", "SHOW default_transaction_read_only"), "on");
}

#[test]
fn the_epoch_only_grows_also_when_the_store_is_new() {
    let hospital = Hospital::new();
    hospital.open();
    hospital.side();
    hospital.switch(0, &["primary"]);
    fs::remove_dir_all(hospital.work.store()).unwrap();
    hospital.load();
    hospital.primary.stop_immediate();
    // By the standby's own generation; by the primary's ledger below.
    assert_eq!(hospital.open()["event"], "01-0002");
    hospital.primary.start_again();
    hospital.switch(0, &["primary"]);
    fs::remove_dir_all(hospital.work.store()).unwrap();
    hospital.standby.stop_immediate();
    assert_eq!(hospital.switch(0, &["paper"])["event"], "01-0003");
}

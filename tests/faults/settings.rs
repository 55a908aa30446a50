//! Servers that come back with other settings, or have no room for one more session.

use super::{CHARGES, busy, charges, opened};
use crate::opened::Opened;
use crate::support::Cluster;
use crate::support::workplace::DB;
use crate::switch::Hospital;
use his_emergency::db::Client;

/// What an administrator may set for a server, each of which changes how values are written or when a statement ends.
const SETTINGS: [&str; 18] = [
    "statement_timeout = '20ms'",
    "idle_session_timeout = '50ms'",
    "idle_in_transaction_session_timeout = '50ms'",
    "datestyle = 'SQL, DMY'",
    "intervalstyle = 'sql_standard'",
    "bytea_output = 'escape'",
    "extra_float_digits = -15",
    "timezone = 'America/St_Johns'",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_deferrable = on",
    "standard_conforming_strings = off",
    "quote_all_identifiers = on",
    "row_security = off",
    "xmlbinary = 'hex'",
    "array_nulls = off",
    "transform_null_equals = on",
    "enable_hashjoin = off",
    "client_min_messages = 'debug1'",
];

fn restart(side: &Cluster, settings: &[&str]) {
    // By a session that the settings cannot end in the middle.
    for setting in settings {
        side.execute("postgres", &format!("ALTER SYSTEM SET {setting}"));
    }
    side.stop_fast();
    side.start_again();
}

#[test]
fn p2_servers_that_come_back_with_other_settings_between_two_commands_change_nothing() {
    let o = opened();
    busy(&o, 500);
    o.work.run("his-export-queue", &[]).expect(0);
    restart(&o.standby, &SETTINGS);
    restart(&o.primary, &SETTINGS[..9]);
    o.work.run("his-switch", &["standby", "--reason", "it was restarted"]).expect(0);
    more(&o, 500);
    o.work.run("his-export-queue", &[]).expect(0);
    o.work.run("his-merge", &["--early"]).expect(0);
    restart(&o.primary, &SETTINGS[9..]);
    more(&o, 500);
    o.work.run("his-export-queue", &[]).expect(0);
    o.work.run("his-merge", &["--early"]).expect(0);
    assert_eq!(o.work.json(0, "his-merge", &["status"])["balanced"], true);
    assert_eq!(o.primary.value(DB, CHARGES), charges(1500));
}

/// Of windows whose settings are those that their driver sets.
fn more(o: &Opened, units: usize) {
    let one = "INSERT INTO h.charge (patient_id, total) VALUES (1 + i % 100, 1.25)";
    let block = format!("SET statement_timeout = 0; DO $$ BEGIN FOR i IN 1..{units} LOOP {one}; END LOOP; END $$");
    o.standby.execute(DB, &block);
}

/// Takes every session that the server has left, those for superusers too.
fn crowd(side: &Cluster) -> Vec<Client> {
    let mut sessions = Vec::new();
    while let Ok(session) = side.connect("postgres", DB) {
        sessions.push(session);
        assert!(sessions.len() < 200, "the server takes any number");
    }
    sessions
}

#[test]
fn p1_a_primary_with_no_session_left_is_not_taken_for_dead_and_is_come_back_to() {
    let h = Hospital::new();
    let crowd_of_primary = crowd(&h.primary);
    for (program, args) in [("his-snapshot", &["-q"][..]), ("his-merge", &["status"])] {
        let ran = h.work.run(program, args);
        assert!(matches!(ran.code, 0 | 6), "{}", ran.shown());
    }
    // Windows are working on it: it is not passed over.
    let ran = h.work.run("his-switch", &["standby", "--reason", "no session left"]).expect(4).says("too many clients");
    assert!(ran.hint().starts_with("all its sessions are taken: end some, or stop its server"), "{}", ran.hint());
    h.primary.stop_immediate();
    h.work.run("his-switch", &["standby", "--reason", "no session left"]).expect(0);
    drop(crowd_of_primary);
    h.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (3, 'crowd')");
    h.work.run("his-export-queue", &[]).expect(0);
    h.primary.start_again();
    let crowd_of_primary = crowd(&h.primary);
    h.work.run("his-merge", &["--early"]).expect(6).says("too many clients");
    let ran = h.work.run("his-switch", &["primary"]);
    assert!(matches!(ran.code, 4 | 6), "{}", ran.shown());
    assert_eq!(h.work.json(0, "his-switch", &["status"])["mode"], "standby");
    drop(crowd_of_primary);
    h.work.run("his-switch", &["primary"]).expect(0);
    assert_eq!(h.primary.value(DB, "SELECT total FROM op.charge WHERE who = 'crowd'"), "3.0000");
}

#[test]
fn with_no_session_left_on_the_standby_nothing_is_opened_and_it_is_said() {
    let h = Hospital::new();
    let crowd_of_standby = crowd(&h.standby);
    h.work.run("his-switch", &["standby", "--reason", "test"]).expect(6).says("too many clients");
    let ran = h.work.run("his-load-standby", &[]);
    assert_eq!(ran.code, 6, "{}", ran.shown());
    assert_eq!(h.work.json(0, "his-switch", &["status"])["mode"], "normal");
    drop(crowd_of_standby);
    h.work.run("his-switch", &["standby", "--reason", "test"]).expect(0);
}

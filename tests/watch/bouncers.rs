//! The PgBouncer of the windows, broken in one way at a time.

use std::fs;

use super::{States, look, states, text, turned, well};
use crate::support::PgBouncer;
use crate::switch::{Hospital, TABLES};

fn ready(settings: &[(&str, &str)]) -> (Hospital, PgBouncer, States) {
    let mut hospital = well();
    let bouncer = PgBouncer::start_with(&mut hospital.work, TABLES, settings);
    let before = states(&look(&hospital));
    (hospital, bouncer, before)
}

const SESSION: (&str, &str) = ("pool_mode", "session");

#[test]
fn without_a_pgbouncer_there_is_no_check_of_one_and_with_one_it_is_ok_on_either_side() {
    let hospital = well();
    assert!(!states(&look(&hospital)).contains_key("pgbouncer"));
    let (hospital, _bouncer, before) = ready(&[SESSION]);
    let json = look(&hospital);
    assert_eq!((before["pgbouncer"].as_str(), json["verdict"].as_str()), ("ok", Some("READY")), "{json:#}");
    assert_eq!(text(&json, "pgbouncer"), "windows are led to the primary");
    hospital.open();
    assert_eq!(text(&look(&hospital), "pgbouncer"), "windows are led to the standby");
}

#[test]
fn a_pgbouncer_that_is_down_frozen_or_leads_elsewhere_is_not_ready() {
    let (hospital, bouncer, before) = ready(&[SESSION]);
    let broken = ["pgbouncer critical", "NOT READY"];
    bouncer.freeze();
    assert_eq!(turned(&hospital, &before), broken);
    assert!(text(&look(&hospital), "pgbouncer").contains("within 3 s"));
    bouncer.thaw();
    assert_eq!(turned(&hospital, &before), ["READY"]);
    bouncer.stop();
    assert_eq!(turned(&hospital, &before), broken);
    bouncer.start_again();
    assert_eq!(turned(&hospital, &before), ["READY"]);
    let sound = fs::read_to_string(bouncer.file()).unwrap();
    fs::write(bouncer.file(), sound.replace("54321", "54322")).unwrap();
    assert_eq!(turned(&hospital, &before), broken);
    bouncer.tell("RELOAD");
    fs::write(bouncer.file(), sound).unwrap();
    assert_eq!(turned(&hospital, &before), broken, "the file is right, and was not read");
    assert!(text(&look(&hospital), "pgbouncer").contains("it leads elsewhere (expected to the primary)"));
    bouncer.tell("RELOAD");
    assert_eq!(turned(&hospital, &before), ["READY"]);
    bouncer.tell("PAUSE his");
    assert_eq!(turned(&hospital, &before), broken);
    assert!(text(&look(&hospital), "pgbouncer").contains("'his' is paused on its console"));
}

#[test]
fn a_pgbouncer_that_a_move_could_not_tell_anything_is_not_ready_and_one_that_makes_windows_wait_is_told() {
    let (hospital, _bouncer, before) = ready(&[SESSION, ("admin_users", "postgres"), ("stats_users", "his_console")]);
    assert_eq!(before["pgbouncer"], "critical");
    assert!(text(&look(&hospital), "pgbouncer").contains("is the role of its admin URL in admin_users?"));
    let (hospital, _bouncer, before) = ready(&[SESSION, ("server_login_retry", "15")]);
    assert_eq!(before["pgbouncer"], "warning");
    let json = look(&hospital);
    assert_eq!(json["verdict"], "DEGRADED");
    assert!(text(&json, "pgbouncer").contains("windows wait server_login_retry (15 s) after a move"), "{json}");
}

#[test]
fn sessions_that_stay_where_they_were_do_not_make_a_pgbouncer_unready() {
    let (hospital, bouncer, before) = ready(&[SESSION]);
    let mut window = bouncer.window();
    window.batch_execute("SELECT 1").unwrap();
    hospital.switch(0, &["standby", "--reason", "x", "--both-live"]);
    assert_eq!(states(&look(&hospital))["pgbouncer"], before["pgbouncer"]);
}

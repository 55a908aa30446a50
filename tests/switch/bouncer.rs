//! Windows that come through a PgBouncer: real ones, in both pool modes, over and back.

use std::fs;
use std::time::{Duration, Instant};

use his_emergency::db::Client;
use serde_json::{Value, json};

use super::{Hospital, SOON, TABLES};
use crate::support::workplace::DB;
use crate::support::{Attempt, Outcome, PgBouncer, Windows, aloud, wait_until};

const PRIMARY: u16 = 54_321;
const STANDBY: u16 = 54_322;

/// What windows do: two charges in one transaction, some work between them.
const ACT: &str = "INSERT INTO op.charge (total, who) VALUES (12.34, :client || '/' || :turn); \
    SELECT pg_sleep(0.01); \
    INSERT INTO op.charge (total, who) VALUES (0.66, :client || '/' || :turn)";

fn hospital(pool_mode: &str) -> (Hospital, PgBouncer) {
    let mut hospital = Hospital::new();
    let bouncer = PgBouncer::start(&mut hospital.work, TABLES, pool_mode);
    (hospital, bouncer)
}

/// The side on which a new window writes.
fn side(bouncer: &PgBouncer) -> u16 {
    let mut window = bouncer.window();
    insert(&mut window, "asks").unwrap_or_else(|e| panic!("{e:?}\n{}", bouncer.log()));
    port(&mut window)
}

fn insert(window: &mut Client, who: &str) -> Result<(), tokio_postgres::Error> {
    window.batch_execute(&format!("INSERT INTO op.charge (total, who) VALUES (1, '{who}')"))
}

fn port(window: &mut Client) -> u16 {
    let rows = window.simple_query("SELECT current_setting('port')").expect("it answers");
    crate::support::sql::text_rows(&rows)[0].parse().expect("a port")
}

fn pgbouncer(status: &Value) -> &Value {
    &status["pgbouncers"][0]
}

/// Commits on one side that certainly began and ended while the windows belonged on the other.
fn wrong_side(log: &[Attempt], port: u16, spans: &[(Duration, Duration)]) -> usize {
    let wrong = |a: &&Attempt| {
        let inside = spans.iter().any(|(from, to)| a.began > *from && a.ended < *to);
        a.port == Some(port) && a.outcome == Outcome::Committed && inside
    };
    log.iter().filter(wrong).count()
}

/// Over and back while windows work, the primary well, crashed and frozen.
fn days_under_traffic(pool_mode: &str) {
    let (hospital, bouncer) = hospital(pool_mode);
    let windows = Windows::new(&bouncer.string("his_app"), ACT).clients(8).persistent().limit(Duration::from_secs(20));
    let windows = windows.open();
    let (mut away, mut home, mut returned) = (Vec::new(), Vec::new(), Duration::ZERO);
    for day in ["alive", "killed", "frozen", "alive again"] {
        hospital.load();
        windows.wait_for_every_client(&hospital.primary);
        match day {
            "killed" => hospital.primary.stop_immediate(),
            "frozen" => hospital.primary.freeze(),
            _ => {}
        }
        home.push((returned, windows.elapsed()));
        hospital.switch(0, &["standby", "--reason", day]);
        let left = windows.elapsed();
        assert_eq!(bouncer.leads_to(), STANDBY, "{day}");
        windows.wait_for_every_client(&hospital.standby);
        match day {
            "killed" => hospital.primary.start_again(),
            "frozen" => hospital.primary.thaw(),
            _ => {}
        }
        windows.wait_for_every_client(&hospital.standby);
        away.push((left, windows.elapsed()));
        let back = hospital.switch(0, &["primary"]);
        returned = windows.elapsed();
        assert_eq!((&back["balanced"], &back["units"]["captured"]), (&json!(true), &back["units"]["merged"]), "{day}");
        assert_eq!(bouncer.leads_to(), PRIMARY, "{day}");
        windows.wait_for_every_client(&hospital.primary);
    }
    let log = windows.close();
    assert_eq!((wrong_side(&log, PRIMARY, &away), wrong_side(&log, STANDBY, &home)), (0, 0));
    let acts = hospital.primary.rows(DB, "SELECT count(*) FROM op.charge WHERE who LIKE '%/%' GROUP BY who");
    assert!(acts.iter().all(|charges| charges == "2"), "an act was halved or doubled: {acts:?}");
    let certain = log.iter().filter(|a| a.outcome == Outcome::Committed).count();
    let unknown = log.iter().filter(|a| matches!(a.outcome, Outcome::Unknown | Outcome::Stuck)).count();
    let there = acts.len();
    assert!((certain..=certain + unknown).contains(&there), "{there} there, {certain} certain, {unknown} unknown");
    aloud(&format!("{pool_mode} pooling: {certain} acts, {unknown} unknown to their window"));
}

#[test]
fn under_traffic_in_session_pooling_nothing_is_lost_halved_or_on_the_wrong_side() {
    days_under_traffic("session");
}

#[test]
fn under_traffic_in_transaction_pooling_nothing_is_lost_halved_or_on_the_wrong_side() {
    days_under_traffic("transaction");
}

#[test]
fn an_idle_window_in_transaction_pooling_keeps_its_connection_over_a_move_and_back() {
    let (hospital, bouncer) = hospital("transaction");
    let mut window = bouncer.window();
    assert_eq!(port(&mut window), PRIMARY);
    hospital.open();
    insert(&mut window, "the same").expect("it was led over");
    assert_eq!(port(&mut window), STANDBY);
    hospital.switch(0, &["primary"]);
    assert_eq!(port(&mut window), PRIMARY);
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'the same'"), "1");
}

#[test]
fn p7_a_move_killed_between_the_file_and_the_reload_is_finished_by_the_same_command() {
    let (hospital, bouncer) = hospital("transaction");
    let file = || fs::read_to_string(bouncer.file()).unwrap();
    for (args, before, after) in [
        (&["standby", "--reason", "x"][..], PRIMARY, STANDBY),
        (&["paper"], STANDBY, PRIMARY),
        (&["standby"], PRIMARY, STANDBY),
        (&["primary"], STANDBY, PRIMARY),
    ] {
        let old = file();
        // A PgBouncer that hears nothing holds the move exactly there.
        bouncer.freeze();
        let killed = hospital.work.start("his-switch", args);
        wait_until("the file is written", SOON, || file() != old);
        assert_ne!(killed.kill().code, 0);
        bouncer.thaw();
        assert_eq!(bouncer.leads_to(), before, "{args:?}: it was not told");
        assert_eq!(hospital.work.json(0, "his-switch", args)["warnings"], json!([]), "{args:?}");
        assert_eq!(bouncer.leads_to(), after, "{args:?}");
        let status = hospital.status();
        assert_eq!((&status["moving"], &pgbouncer(&status)["problem"]), (&json!(null), &json!(null)), "{args:?}");
    }
    assert_eq!(side(&bouncer), PRIMARY);
}

#[test]
fn p7_a_pgbouncer_left_paused_by_a_killed_move_goes_on() {
    let (hospital, bouncer) = hospital("session");
    hospital.open();
    // What a kill between KILL and RESUME leaves.
    bouncer.tell("KILL his");
    let status = hospital.status();
    assert_eq!(pgbouncer(&status)["problem"], "'his' is paused on its console");
    hospital.switch(0, &["endpoint"]);
    assert_eq!(side(&bouncer), STANDBY);
}

#[test]
fn p12_a_pgbouncer_that_is_down_is_exit_3_and_leads_to_the_right_side_when_it_starts() {
    let (hospital, bouncer) = hospital("session");
    bouncer.stop();
    let opened = hospital.switch(3, &["standby", "--reason", "x"]);
    let warning = opened["warnings"][0].as_str().unwrap();
    assert!(warning.contains("its file is right, so it leads to the standby once it reads it"), "{warning}");
    assert_eq!(opened["mode"], "standby");
    let led = hospital.journal("lead pgbouncer");
    assert!(led[0].contains("its file is right"), "{led:?}");
    let status = hospital.status();
    assert_eq!(
        (&pgbouncer(&status)["file_leads_to"], &pgbouncer(&status)["leads_to"]),
        (&json!("standby"), &json!(null))
    );
    assert!(status["next"].as_str().unwrap().starts_with("run `his-switch endpoint`"), "{status}");
    bouncer.start_again();
    assert_eq!(side(&bouncer), STANDBY);
    assert_eq!(hospital.switch(0, &["endpoint"])["side"], "standby");
    hospital.switch(0, &["primary"]);
    assert_eq!(side(&bouncer), PRIMARY);
}

#[test]
fn p16_a_frozen_pgbouncer_does_not_hold_a_move_up_and_is_told_at_first_contact() {
    let (hospital, bouncer) = hospital("transaction");
    bouncer.freeze();
    let ran = hospital.work.program("his-switch", &["standby", "--reason", "x"]).limit(Duration::from_secs(20)).run();
    ran.expect(3).says("no answer within 3 s");
    bouncer.thaw();
    assert_eq!(bouncer.leads_to(), PRIMARY);
    hospital.work.run("his-export-queue", &[]).expect(0).says("was told to read its file");
    assert_eq!(side(&bouncer), STANDBY);
    assert_eq!(pgbouncer(&hospital.status())["problem"], json!(null));
}

/// A window with a transaction open, which hangs in its next statement on a frozen primary.
fn frees_clients_of_a_frozen_primary(pool_mode: &str) {
    let (hospital, bouncer) = hospital(pool_mode);
    let mut window = bouncer.window();
    window.batch_execute("BEGIN").unwrap();
    insert(&mut window, "half").unwrap();
    hospital.primary.freeze();
    let hanging = std::thread::spawn(move || insert(&mut window, "half"));
    hospital.switch(0, &["standby", "--reason", "frozen"]);
    wait_until("the window is told", SOON, || hanging.is_finished());
    let freed = hanging.join().unwrap().expect_err("it is told");
    assert!(freed.as_db_error().is_some() || freed.is_closed(), "{freed:?}");
    assert_eq!(side(&bouncer), STANDBY);
    hospital.primary.thaw();
    wait_until("it is fenced", SOON, || hospital.status()["fence"] == "on");
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'half'"), "0");
    hospital.switch(0, &["primary"]);
    assert_eq!(side(&bouncer), PRIMARY);
}

#[test]
fn a_window_that_hangs_on_a_frozen_primary_in_session_pooling_is_freed_and_nothing_of_it_stays() {
    frees_clients_of_a_frozen_primary("session");
}

#[test]
fn a_window_that_hangs_on_a_frozen_primary_in_transaction_pooling_is_freed_and_nothing_of_it_stays() {
    frees_clients_of_a_frozen_primary("transaction");
}

#[test]
fn a_frozen_primary_whose_connections_fill_the_pool_keeps_no_window_out_of_the_standby() {
    let mut hospital = Hospital::new();
    let settings = [("pool_mode", "transaction"), ("default_pool_size", "2")];
    let bouncer = PgBouncer::start_with(&mut hospital.work, TABLES, &settings);
    let mut hanging = Vec::new();
    for _ in 0..2 {
        let mut window = bouncer.window();
        window.batch_execute("BEGIN; SELECT 1").unwrap();
        hanging.push(window);
    }
    hospital.primary.freeze();
    hospital.switch(0, &["standby", "--reason", "frozen"]);
    // One more than the pool has is let in anyway, because PgBouncer has to learn how the new server greets.
    let mut first = bouncer.window();
    first.batch_execute("BEGIN; SELECT 1").unwrap();
    assert_eq!(side(&bouncer), STANDBY);
    hospital.primary.thaw();
}

#[test]
fn told_again_while_the_primary_is_down_nobody_who_works_on_the_standby_is_cut_off() {
    let (hospital, bouncer) = hospital("session");
    hospital.primary.stop_immediate();
    hospital.switch(0, &["standby", "--reason", "x"]);
    let mut window = bouncer.window();
    window.batch_execute("BEGIN").expect("begun");
    insert(&mut window, "goes on").expect("it works");
    hospital.work.run("his-switch", &["endpoint"]).expect(0);
    hospital.switch(0, &["standby"]);
    window.batch_execute("COMMIT").expect("nobody ended it");
    assert_eq!(port(&mut window), STANDBY);
}

#[test]
fn a_session_that_came_to_the_closed_standby_is_ended_when_the_windows_are_led_on() {
    let (hospital, bouncer) = hospital("session");
    hospital.open();
    // It still leads to the standby after that was closed.
    bouncer.freeze();
    hospital.switch(3, &["paper"]);
    bouncer.thaw();
    let mut window = bouncer.window();
    assert_eq!(port(&mut window), STANDBY);
    insert(&mut window, "late").expect_err("it is closed");
    hospital.switch(0, &["endpoint"]);
    assert!(window.simple_query("SELECT 1").is_err(), "a session stays where nothing can be written");
    hospital.switch(0, &["primary"]);
    assert_eq!(side(&bouncer), PRIMARY);
}

#[test]
fn when_both_sides_work_sessions_stay_where_they_are_and_new_ones_go_to_the_standby() {
    let (hospital, bouncer) = hospital("session");
    let mut window = bouncer.window();
    assert_eq!(port(&mut window), PRIMARY);
    hospital.switch(0, &["standby", "--reason", "cut off", "--both-live"]);
    insert(&mut window, "stays").expect("it goes on");
    assert_eq!((port(&mut window), side(&bouncer)), (PRIMARY, STANDBY));
    assert_eq!(pgbouncer(&hospital.status())["left"], 1);
    hospital.switch(0, &["primary"]);
    assert_eq!((port(&mut window), side(&bouncer)), (PRIMARY, PRIMARY));
}

#[test]
fn a_file_that_somebody_else_changed_is_told_and_written_anew() {
    let (hospital, bouncer) = hospital("transaction");
    let sound = fs::read_to_string(bouncer.file()).unwrap();
    fs::write(bouncer.file(), sound.replace("54321", "54322")).unwrap();
    bouncer.tell("RELOAD");
    let status = hospital.status();
    assert_eq!(
        *pgbouncer(&status),
        json!({"file": bouncer.file(), "file_leads_to": "elsewhere", "leads_to": "elsewhere", "left": 0,
            "problem": "its file is not as the profile has it: one of them was changed"})
    );
    assert!(
        status["next"].as_str().unwrap().contains("its file is not as the profile has it: one of them was changed"),
        "{status}"
    );
    let ran = hospital.work.run("his-switch", &["endpoint"]).expect(0);
    ran.says("was not as the profile has it; it was written anew");
    assert_eq!(fs::read_to_string(bouncer.file()).unwrap(), sound);
    assert_eq!(side(&bouncer), PRIMARY);
    assert_eq!(pgbouncer(&hospital.status())["problem"], json!(null));
}

#[test]
fn p12_a_file_that_cannot_be_written_is_exit_3_and_stays_whole() {
    let (hospital, bouncer) = hospital("transaction");
    let before = fs::read_to_string(bouncer.file()).unwrap();
    let in_the_way = bouncer.file().with_file_name(".unfinished-his-target.ini");
    fs::create_dir(&in_the_way).unwrap();
    let opened = hospital.switch(3, &["standby", "--reason", "x"]);
    let warning = opened["warnings"][0].as_str().unwrap();
    assert!(warning.contains("its file cannot be written, so it leads where it did"), "{warning}");
    assert_eq!(fs::read_to_string(bouncer.file()).unwrap(), before);
    assert_eq!(pgbouncer(&hospital.status())["problem"], "its file leads to the primary (expected to the standby)");
    fs::remove_dir(in_the_way).unwrap();
    // The same command mends it, too.
    assert_eq!(hospital.switch(0, &["standby"])["already"], true);
    assert_eq!(side(&bouncer), STANDBY);
}

#[test]
fn p12_a_console_that_refuses_us_or_reads_another_file_is_exit_3_and_says_why() {
    let mut hospital = Hospital::new();
    let settings = [("pool_mode", "session"), ("admin_users", "postgres"), ("stats_users", "his_console")];
    let bouncer = PgBouncer::start_with(&mut hospital.work, TABLES, &settings);
    let opened = hospital.switch(3, &["standby", "--reason", "x"]);
    let warning = opened["warnings"][0].as_str().unwrap();
    assert!(warning.contains("admin access needed"), "{warning}");
    let other = PgBouncer::start(&mut hospital.work, TABLES, "session");
    let elsewhere = other.profile().replace("his-target.ini", "other.ini");
    hospital.work.edit(|profile| {
        profile.tables(&(elsewhere + TABLES));
    });
    fs::write(other.file(), fs::read_to_string(other.file()).unwrap().replace("54322", "54323")).unwrap();
    let again = hospital.switch(3, &["endpoint"]);
    let warning = again["warnings"][0].as_str().unwrap();
    assert!(warning.contains("leads elsewhere (expected to the standby): can it read its file"), "{warning}");
    drop(bouncer);
}

#[test]
fn a_move_that_is_refused_or_taken_back_leaves_windows_where_they_were_led() {
    let (hospital, bouncer) = hospital("session");
    let mut window = bouncer.window();
    assert_eq!(port(&mut window), PRIMARY);
    hospital.switch(4, &["primary"]);
    // No snapshot can be taken of a table that is not there, so the planned opening is taken back.
    hospital.primary.execute(DB, "ALTER TABLE op.charge RENAME TO charges");
    let failed = hospital.work.run("his-switch", &["standby", "--planned", "--reason", "x"]);
    assert_ne!(failed.code, 0);
    failed.says("the fence is lifted again");
    hospital.primary.execute(DB, "ALTER TABLE op.charges RENAME TO charge");
    assert_eq!((bouncer.leads_to(), side(&bouncer)), (PRIMARY, PRIMARY));
    assert!(window.simple_query("SELECT 1").is_err(), "the fence was on for a moment");
    assert_eq!(pgbouncer(&hospital.status())["problem"], json!(null));
}

#[test]
fn on_paper_windows_are_led_to_the_fenced_primary_and_work_as_soon_as_the_fence_is_lifted() {
    let (hospital, bouncer) = hospital("transaction");
    hospital.open();
    assert_eq!(side(&bouncer), STANDBY);
    hospital.switch(0, &["paper"]);
    assert_eq!(bouncer.leads_to(), PRIMARY);
    bouncer.stop();
    hospital.switch(3, &["primary"]);
    bouncer.start_again();
    assert_eq!(side(&bouncer), PRIMARY);
}

#[test]
fn several_pgbouncers_are_led_at_once_and_one_that_is_down_keeps_no_other_back() {
    let mut hospital = Hospital::new();
    let first = PgBouncer::without(&[("pool_mode", "session")]);
    let tables = first.profile() + TABLES;
    let second = PgBouncer::start(&mut hospital.work, &tables, "transaction");
    let began = Instant::now();
    let opened = hospital.switch(3, &["standby", "--reason", "x"]);
    assert!(began.elapsed() < SOON);
    assert_eq!(opened["warnings"].as_array().unwrap().len(), 1, "{opened}");
    assert_eq!(side(&second), STANDBY);
    first.start_again();
    assert_eq!(side(&first), STANDBY);
}

#[test]
fn a_dry_run_says_which_pgbouncers_are_led_where_and_writes_nothing() {
    let (hospital, bouncer) = hospital("session");
    let before = fs::read_to_string(bouncer.file()).unwrap();
    let step = format!("lead PgBouncer '{}' to the standby", bouncer.file().display());
    let plan = hospital.switch(0, &["standby", "--reason", "x", "--dry-run"]);
    assert!(plan["plan"].as_array().unwrap().contains(&json!(step)), "{plan}");
    let plan = hospital.switch(0, &["endpoint", "--dry-run"]);
    assert_eq!(plan["plan"], json!([step.replace("standby", "primary")]));
    assert_eq!(fs::read_to_string(bouncer.file()).unwrap(), before);
}

#[test]
fn an_exercise_leads_no_window_anywhere() {
    let (mut hospital, bouncer) = hospital("session");
    let before = fs::read_to_string(bouncer.file()).unwrap();
    let mut window = bouncer.window();
    assert_eq!(port(&mut window), PRIMARY);
    hospital.switch(0, &["drill"]);
    hospital.work.set("drill", "seconds", "1");
    // No window did anything in it.
    hospital.work.run("his-drill", &["run"]).expect(3);
    assert_eq!(fs::read_to_string(bouncer.file()).unwrap(), before);
    assert_eq!((bouncer.leads_to(), port(&mut window)), (PRIMARY, PRIMARY));
}

#[test]
fn endpoint_is_refused_without_a_pgbouncer_and_while_a_move_has_not_ended() {
    let plain = Hospital::new();
    let refused = plain.switch(4, &["endpoint"]);
    assert!(refused["error"].as_str().unwrap().ends_with("the profile names no PgBouncer"), "{refused}");
    let (hospital, bouncer) = hospital("session");
    bouncer.freeze();
    let killed = hospital.work.start("his-switch", &["standby", "--reason", "x"]);
    wait_until("it is written", SOON, || fs::read_to_string(bouncer.file()).unwrap().contains("54322"));
    killed.kill();
    let refused = hospital.switch(4, &["endpoint"]);
    assert_eq!(refused["hint"], "run his-switch standby again: it goes on, and leads them too.");
}

#[test]
fn mistakes_in_the_profile_are_named_with_their_lines() {
    let (mut hospital, bouncer) = hospital("session");
    let mut wrong = |text: &str, kind: &str, says: &str| {
        hospital.work.edit(|profile| {
            profile.set("endpoint", "kind", &format!("\"{kind}\"")).tables(&(text.to_owned() + TABLES));
        });
        hospital.work.run("his-switch", &["status"]).expect(2).says(says);
    };
    let good = bouncer.profile();
    wrong("", "pgbouncer", "kind is 'pgbouncer' but there is no [[pgbouncer]]");
    wrong(&good, "standby-first", "is never used while [endpoint] kind is 'standby-first'");
    wrong(&(good.clone() + &good), "pgbouncer", "is that of another [[pgbouncer]]");
    wrong(&(good.clone() + "primary = \"host=a,b\"\n"), "pgbouncer", "has 'host=a,b' in it");
    wrong(&(good.clone() + "settings = \"pool_size=3 password=secret\"\n"), "pgbouncer", "auth_file and auth_query");
    wrong(&(good.clone() + "databases = [\"pgbouncer\"]\n"), "pgbouncer", "expected a name that windows ask for");
    wrong(&(good.clone() + "databases = [\"医院\"]\n"), "pgbouncer", "expected a name that windows ask for");
    wrong("[[pgbouncer]]\nfile = \"x\"\n", "pgbouncer", "'admin' is missing");
    let same = good + "primary = \"host=a port=1 dbname=x\"\nstandby = \"host=a port=1 dbname=x\"\n";
    hospital.work.edit(|profile| {
        profile.set("endpoint", "kind", "\"pgbouncer\"").tables(&(same + TABLES));
    });
    hospital.work.run("his-switch", &["endpoint"]).expect(2).says("primary and standby are the same place to it");
}

#[test]
fn another_way_to_the_servers_other_names_and_settings_are_written_as_the_profile_says() {
    let (mut hospital, bouncer) = hospital("session");
    let (primary, standby) = (hospital.primary.socket_dir(), hospital.standby.socket_dir());
    let more = format!(
        "databases = [\"his\", \"his-old\"]\nprimary = \"host={}\"\nstandby = \"host={} port=54322\"\nsettings = \"pool_size=7\"\n",
        primary.display(),
        standby.display()
    );
    let tables = bouncer.profile() + &more + TABLES;
    hospital.work.edit(|profile| {
        profile.tables(&tables);
    });
    hospital.open();
    let written = fs::read_to_string(bouncer.file()).unwrap();
    let line = format!("host={} port=54322 dbname=his pool_size=7", standby.display());
    let lines: Vec<&str> = written.lines().filter(|l| !l.starts_with(';')).collect();
    assert_eq!(lines, ["[databases]", &format!("his = {line}"), &format!("his-old = {line}")]);
    assert_eq!(side(&bouncer), STANDBY);
}

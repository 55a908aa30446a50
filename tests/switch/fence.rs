//! The fence: exact on, exact off, and refused where it would not hold.

use serde_json::json;

use super::Hospital;
use crate::support::workplace::DB;

/// Who may connect and log in, as the server has it.
fn rights(hospital: &Hospital) -> Vec<String> {
    let mut rights = hospital.primary.rows(
        "postgres",
        "SELECT a.grantor::regrole, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.privilege_type, a.is_grantable
         FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE d.datname = 'his' ORDER BY 1, 2, 3",
    );
    rights.extend(
        hospital
            .primary
            .rows("postgres", "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname NOT LIKE 'pg%' ORDER BY 1"),
    );
    rights
}

#[test]
fn the_window_roles_lose_their_login_and_their_sessions_and_others_go_on() {
    let hospital = Hospital::new();
    hospital.primary.execute("postgres", "CREATE ROLE lab LOGIN; CREATE ROLE his_old NOLOGIN");
    let before = rights(&hospital);
    let mut window = hospital.primary.client_as("his_app", DB);
    let mut lab = hospital.primary.client_as("lab", DB);
    let fenced = hospital.switch(0, &["fence"]);
    assert_eq!((&fenced["fence"], &fenced["roles"]), (&json!("on"), &json!(["his_app"])));
    assert_eq!(fenced["ended"].as_array().map(Vec::len), Some(1));
    window.simple_query("SELECT 1").expect_err("it was ended");
    lab.simple_query("SELECT 1").expect("another system goes on");
    assert!(hospital.primary.connect("his_app", DB).is_err());
    hospital.switch(0, &["fence"]);
    let lifted = hospital.switch(0, &["unfence"]);
    assert_eq!((&lifted["fence"], &lifted["roles"]), (&json!("off"), &json!(["his_app"])));
    assert_eq!(rights(&hospital), before);
    assert_eq!(hospital.switch(0, &["unfence"])["was_on"], false);
    assert_eq!(rights(&hospital), before);
}

#[test]
fn without_window_roles_connect_is_taken_from_all_others_and_put_back_exactly() {
    let mut hospital = Hospital::new();
    hospital.work.edit(|p| {
        p.unset("standby", "window_roles");
    });
    hospital.primary.execute(
        "postgres",
        "CREATE ROLE owner_of_his; ALTER DATABASE his OWNER TO owner_of_his; CREATE ROLE lab LOGIN; CREATE ROLE \"Ward 3\" LOGIN; CREATE ROLE member LOGIN IN ROLE lab;
         GRANT CONNECT ON DATABASE his TO lab WITH GRANT OPTION; GRANT CONNECT, TEMPORARY ON DATABASE his TO his_app;
         SET ROLE lab; GRANT CONNECT ON DATABASE his TO \"Ward 3\"; RESET ROLE;",
    );
    let before = rights(&hospital);
    let mut window = hospital.primary.client_as("his_app", DB);
    let fenced = hospital.switch(0, &["fence"]);
    assert_eq!((&fenced["kind"], &fenced["roles"]), (&json!("database"), &json!([])));
    window.simple_query("SELECT 1").expect_err("it was ended");
    for role in ["his_app", "lab", "Ward 3", "member"] {
        assert!(hospital.primary.connect(role, DB).is_err(), "{role}");
        hospital.primary.connect(role, "postgres").expect("other databases go on");
    }
    let on = rights(&hospital);
    assert!(!on.iter().any(|r| r.contains("CONNECT") && !r.contains("postgres|CONNECT")), "{on:?}");
    hospital.switch(0, &["fence"]);
    let lifted = hospital.switch(0, &["unfence"]);
    assert!(lifted["granted"].as_array().unwrap().contains(&json!("PUBLIC")), "{lifted}");
    assert_eq!(rights(&hospital), before);
    hospital.primary.connect("Ward 3", DB).expect("it is back");
}

#[test]
fn a_control_role_that_owns_the_database_fences_and_lets_itself_in() {
    let mut hospital = Hospital::new();
    hospital.primary.execute(
        "postgres",
        "CREATE ROLE his_ctl LOGIN IN ROLE pg_signal_backend; ALTER DATABASE his OWNER TO his_ctl; REVOKE CONNECT ON DATABASE his FROM his_ctl;",
    );
    let url = hospital.primary.url_as("his_ctl", DB);
    hospital.work.edit(|p| {
        p.unset("standby", "window_roles").set("primary", "url", &format!("\"{url}\""));
    });
    let before = rights(&hospital);
    let mut window = hospital.primary.client_as("his_app", DB);
    hospital.switch(0, &["fence"]);
    window.simple_query("SELECT 1").expect_err("it was ended");
    assert!(hospital.primary.connect("his_app", DB).is_err());
    hospital.primary.connect("his_ctl", DB).expect("ours are always let in");
    hospital.switch(0, &["unfence"]);
    assert_eq!(rights(&hospital), before);
}

#[test]
fn a_control_role_without_the_right_refuses_and_changes_nothing() {
    let mut hospital = Hospital::new();
    hospital.primary.execute("postgres", "CREATE ROLE his_weak LOGIN; GRANT ALL ON DATABASE his TO his_weak");
    let (before, url) = (rights(&hospital), hospital.primary.url_as("his_weak", DB));
    hospital.work.set("primary", "url", &format!("\"{url}\""));
    for kind in ["roles", "database"] {
        hospital.work.set("primary", "fence", &format!("\"{kind}\""));
        let ran = hospital.work.run("his-switch", &["standby", "--reason", "x"]).expect(4);
        assert!(ran.hint().contains("--both-live"), "{}", ran.stderr);
        assert_eq!(rights(&hospital), before);
        let status = hospital.status();
        assert_eq!(
            (&status["mode"], &status["fence"], &status["moving"]),
            (&json!("normal"), &json!("off"), &json!(null))
        );
    }
    assert_eq!(hospital.switch(0, &["standby", "--reason", "x", "--both-live"])["mode"], "standby");
}

#[test]
fn a_session_of_another_superuser_is_named_and_refused() {
    let mut hospital = Hospital::new();
    hospital.work.set("primary", "fence", "\"database\"");
    hospital.primary.execute("postgres", "CREATE ROLE boss SUPERUSER LOGIN");
    let boss = hospital.primary.client_as("boss", DB);
    let before = rights(&hospital);
    let ran = hospital
        .work
        .run("his-switch", &["standby", "--reason", "x"])
        .expect(4)
        .says("the superuser 'boss' has a session");
    assert!(ran.hint().contains("--both-live"), "{}", ran.hint());
    assert_eq!(rights(&hospital), before);
    assert_eq!(hospital.side(), "primary");
    drop(boss);
    hospital.open();
    assert_eq!(hospital.side(), "standby");
}

#[test]
fn a_window_that_is_a_superuser_loses_its_login_too() {
    let hospital = Hospital::new();
    hospital.primary.execute("postgres", "ALTER ROLE his_app SUPERUSER");
    hospital.open();
    assert!(hospital.primary.connect("his_app", DB).is_err());
    hospital.switch(0, &["primary"]);
    hospital.primary.connect("his_app", DB).expect("it is back");
}

#[test]
fn that_nobody_is_left_to_fence_is_said_and_the_switch_goes_on() {
    let mut hospital = Hospital::new();
    hospital.work.edit(|p| {
        p.set("standby", "window_roles", "[\"his_elsewhere\"]");
    });
    hospital.standby.execute("postgres", "CREATE ROLE his_elsewhere LOGIN");
    let ran = hospital.work.run("his-switch", &["standby", "--reason", "x"]).expect(0);
    assert!(ran.stderr.contains("nobody is left to fence there"), "{}", ran.stderr);
    let journal = std::fs::read_to_string(hospital.work.store().join("journal.jsonl")).unwrap();
    assert!(journal.contains("\"nobody\":true"));
}

#[test]
fn windows_on_the_standby_keep_the_fence_on_unless_both_sides_work() {
    let hospital = Hospital::new();
    hospital.open();
    let ran = hospital.work.run("his-switch", &["unfence"]).expect(4);
    assert!(ran.hint().contains("unfence --both-live"), "{}", ran.hint());
    assert_eq!(hospital.status()["primary"]["fenced"], true);
    hospital.switch(0, &["unfence", "--both-live"]);
    assert_eq!(hospital.status()["primary"]["fenced"], false);
    hospital.switch(0, &["primary"]);
}

#[test]
fn a_dry_run_of_the_fence_changes_nothing() {
    let hospital = Hospital::new();
    let before = rights(&hospital);
    let mut window = hospital.primary.client_as("his_app", DB);
    let dry = hospital.switch(0, &["fence", "--dry-run"]);
    assert_eq!(dry["would"]["roles"], json!(["his_app"]));
    hospital.switch(0, &["standby", "--reason", "x", "--dry-run"]);
    window.simple_query("SELECT 1").expect("it goes on");
    assert_eq!(rights(&hospital), before);
    assert_eq!(hospital.primary.value(DB, "SELECT to_regclass('his_emergency.fence') IS NULL"), "t");
}

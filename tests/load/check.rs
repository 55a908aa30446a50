//! `check` finds what would keep windows out or let them through.

use super::Hospital;
use crate::support::workplace::DB;
use crate::support::{Program, wait_until};
use std::fs;
use std::path::Path;
use std::time::Duration;

#[test]
fn a_check_finds_what_would_keep_windows_out_or_let_them_through() {
    let mut h = Hospital::new();
    h.work.run("his-load-standby", &["check"]).expect(3).says("run his-load-standby init");
    h.work.run("his-load-standby", &["init"]).expect(0);
    h.work.run("his-load-standby", &["check"]).expect(3).says("NOT OK: no generation is loaded");
    h.snapshot();
    h.load();
    h.work.run("his-load-standby", &["check"]).expect(0).says("window role 'his_app': may log in by line");
    let passwords = h.work.path().join("pgpass");
    fs::write(&passwords, "*:*:*:his_app:secret of the windows\n").expect("it can be written");
    Program::at(Path::new("/bin/chmod")).args([Path::new("600"), &passwords]).run().expect(0);
    let check = |h: &Hospital| h.work.program("his-load-standby", &["check"]).env("PGPASSFILE", &passwords).run();
    check(&h).expect(0).says("ok: window role 'his_app': logged in to 'his' with the password of PGPASSFILE");

    for (damage, mend, says) in [
        ("ALTER ROLE his_app NOLOGIN", "ALTER ROLE his_app LOGIN", "window role 'his_app': may not log in"),
        (
            "ALTER ROLE his_app VALID UNTIL '2020-01-01'",
            "ALTER ROLE his_app VALID UNTIL 'infinity'",
            "its password has expired",
        ),
        (
            "REVOKE CONNECT ON DATABASE his FROM his_app, PUBLIC",
            "GRANT CONNECT ON DATABASE his TO his_app",
            "may not connect to 'his'",
        ),
        ("ALTER ROLE his_app SUPERUSER", "ALTER ROLE his_app NOSUPERUSER", "is a superuser"),
        (
            "ALTER DATABASE his RESET default_transaction_read_only",
            "ALTER DATABASE his SET default_transaction_read_only = on",
            "NOT read-only by default",
        ),
        (
            "ALTER ROLE his_app SET default_transaction_read_only = off",
            "ALTER ROLE his_app RESET default_transaction_read_only",
            "would stay on the closed standby",
        ),
    ] {
        h.standby.execute("postgres", damage);
        h.work.run("his-load-standby", &["check"]).expect(3).says(says);
        h.standby.execute("postgres", mend);
    }
    for (damage, mend, says) in [
        (
            "ALTER TABLE op.dept DISABLE TRIGGER \"!his_emergency_gate\"",
            "ALTER TABLE op.dept ENABLE ALWAYS TRIGGER \"!his_emergency_gate\"",
            "the gate trigger on op.dept is missing",
        ),
        (
            "ALTER TABLE op.audit_2026 ENABLE TRIGGER \"!his_emergency_capture\"",
            "ALTER TABLE op.audit_2026 ENABLE ALWAYS TRIGGER \"!his_emergency_capture\"",
            "the capture trigger on op.audit_2026 is missing",
        ),
        (
            "ALTER TABLE op.dept OWNER TO his_owner",
            "ALTER TABLE op.dept OWNER TO postgres",
            "the window role 'his_app' owns op.dept",
        ),
    ] {
        let unguarded = |sql: &str| {
            h.standby.execute("his_g1", &format!("SET transaction_read_only = off; ALTER EVENT TRIGGER his_emergency_ddl DISABLE; {sql}; ALTER EVENT TRIGGER his_emergency_ddl ENABLE ALWAYS"));
        };
        unguarded(damage);
        h.work.run("his-load-standby", &["check"]).expect(3).says(says);
        unguarded(mend);
    }
    h.standby.execute("his_g1", "SET transaction_read_only = off; ALTER EVENT TRIGGER his_emergency_drop DISABLE");
    h.work.run("his-load-standby", &["check"]).expect(3).says("the event trigger his_emergency_drop is missing");
    h.standby
        .execute("his_g1", "SET transaction_read_only = off; ALTER EVENT TRIGGER his_emergency_drop ENABLE ALWAYS");

    fs::write(&passwords, "*:*:*:his_app:wrong\n").expect("it can be written");
    let hba = h.standby.data().join("pg_hba.conf");
    fs::write(&hba, "local all postgres trust\nlocal his his_app scram-sha-256\n").expect("it can be written");
    h.standby.execute("postgres", "SELECT pg_reload_conf()");
    wait_until("the rules are read", Duration::from_secs(10), || h.standby.connect("his_app", DB).is_err());
    let ran = check(&h).expect(3).says("NOT OK: window role 'his_app': cannot connect");
    assert!(!ran.stdout.contains("wrong"), "{}", ran.stdout);
    h.work
        .run("his-load-standby", &["check"])
        .expect(0)
        .says("may log in by line 2 of pg_hba.conf (scram-sha-256, from the socket)");
    fs::write(&hba, "local all postgres trust\nlocal all all reject\n").expect("it can be written");
    h.standby.execute("postgres", "SELECT pg_reload_conf()");
    h.work.run("his-load-standby", &["check"]).expect(3).says("line 2 of pg_hba.conf rejects it");
    h.work.set("standby", "window_roles", "[]");
    h.work.run("his-load-standby", &["check"]).expect(0).says("is not checked");
}

//! `init`: roles, and an empty closed database.

use super::Hospital;
use crate::support::workplace::DB;
use serde_json::json;

#[test]
fn init_run_twice_has_nothing_to_do_and_a_dry_run_makes_nothing() {
    let h = Hospital::new();
    let plan = h.work.json(0, "his-load-standby", &["init", "--dry-run"]);
    assert_eq!(plan["created"], true);
    assert_eq!(h.databases(), [""; 0]);
    assert_eq!(h.standby.value("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'his_app'"), "0");
    let made = h.work.json(0, "his-load-standby", &["init"]);
    assert_eq!(made["done"], plan["done"]);
    assert_eq!(h.databases(), ["his"]);
    assert_eq!(h.standby.value(DB, "SHOW default_transaction_read_only"), "on");
    let again = h.work.run("his-load-standby", &["init"]).expect(0).says("nothing to do");
    assert_eq!(again.stderr, "");
    assert_eq!(h.states(), ["0 closed"]);
    // What somebody has taken away comes back.
    h.standby.execute("postgres", "ALTER ROLE his_app NOLOGIN; REVOKE CONNECT ON DATABASE his FROM his_app; ALTER DATABASE his RESET default_transaction_read_only");
    let mended = h.work.json(0, "his-load-standby", &["init"]);
    assert_eq!(mended["done"].as_array().map(Vec::len), Some(3), "{mended}");
    h.work.run("his-load-standby", &["init"]).expect(0).says("nothing to do");
}

#[test]
fn init_takes_an_empty_database_over_and_refuses_one_that_is_not_ours() {
    let h = Hospital::small(1);
    h.standby.create_database(DB);
    h.work.run("his-load-standby", &["init"]).expect(0).says("was empty");
    h.work.run("his-load-standby", &["init"]).expect(0).says("nothing to do");
    h.standby.execute("postgres", "DROP DATABASE his");
    h.standby.create_database(DB);
    h.standby.execute(DB, "CREATE TABLE theirs (a int)");
    let ran = h.work.run("his-load-standby", &["init"]).expect(4).says("is not of this toolkit and holds 1 tables");
    assert!(ran.hint().contains("[standby] url"), "{}", ran.hint());
    assert_eq!(h.standby.value(DB, "SELECT to_regnamespace('his_emergency') IS NULL"), "t");
}

#[test]
fn init_says_which_passwords_the_dba_must_set() {
    let mut h = Hospital::new();
    h.primary.stop_fast();
    let made =
        h.work.run("his-load-standby", &["init"]).expect(0).says("the primary cannot be asked for the passwords");
    assert!(made.stdout.contains("the role 'his_app' has no password on the standby"), "{}", made.stdout);
    h.primary.start_again();
    // A role on the primary that may not read verifiers.
    h.primary.execute("postgres", "CREATE ROLE reader LOGIN");
    let url = format!("\"{}\"", h.primary.url_as("reader", DB));
    h.work.set("primary", "url", &url);
    let made = h.work.json(0, "his-load-standby", &["init"]);
    assert_eq!(made["passwords_missing"], json!(["his_app"]));
}

#[test]
fn a_server_that_cannot_carry_a_standby_is_refused() {
    let mut h = Hospital::small(1);
    h.snapshot();
    h.standby.execute("postgres", "CREATE ROLE weak LOGIN CREATEDB");
    let url = format!("\"{}\"", h.standby.url_as("weak", DB));
    let strong = format!("\"{}\"", h.standby.url(DB));
    h.work.set("standby", "url", &url);
    h.refused(4, &["init"], "the role 'weak' is no superuser there", "ALTER ROLE \"weak\" SUPERUSER");
    h.refused(4, &[], "the role 'weak' is no superuser there", "ALTER ROLE \"weak\" SUPERUSER");
    h.work.set("standby", "url", &strong);
    h.standby.execute("postgres", "ALTER SYSTEM SET max_prepared_transactions = 5");
    h.standby.stop_fast();
    h.standby.start_again();
    h.refused(4, &["init"], "its max_prepared_transactions is 5 (expected 0)", "max_prepared_transactions = 0");
    h.refused(4, &[], "its max_prepared_transactions is 5 (expected 0)", "max_prepared_transactions = 0");
}

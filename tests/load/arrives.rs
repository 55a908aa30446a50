//! What arrives on the standby, and what does not.

use super::{Hospital, LEFT_OUT, TABLES};
use crate::support::workplace::DB;
use crate::support::{Cluster, Workplace, assert_same_tables, real_his};
use serde_json::json;

#[test]
fn a_generation_has_everything_the_primary_has_but_what_it_says_it_leaves_out() {
    let h = Hospital::new();
    h.work.run("his-load-standby", &["init"]).expect(0);
    let id = h.snapshot();
    let loaded = h.load();
    assert_eq!(loaded["snapshot"], json!(id));
    assert_eq!(loaded["generation"], 1);
    assert_eq!(loaded["database"], "his_g1");
    assert_eq!((&loaded["verified"], &loaded["new"], &loaded["dangling"]), (&json!(true), &json!(true), &json!([])));
    assert_eq!(loaded["rows"], 300 + 2 + 100 + 2 + 1000 + 1000 + 500 + 1 + 3 + 2 + 2);
    assert_eq!(
        loaded["left_out"],
        json!(["event trigger auditDDL", "setting default_transaction_read_only of role his_app"])
    );
    assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &LEFT_OUT);
    let standby = |sql: &str| h.standby.rows("his_g1", sql);
    assert_eq!(standby("SELECT count(*) FROM op.not_downloaded"), ["0"]);
    assert_eq!(standby("SELECT current_no, seen FROM op.skd ORDER BY skd_id"), ["505|0", "507|0"]);
    let objects = "SELECT kind, name FROM (
        SELECT 'relation ' || relkind::text AS kind, relname AS name FROM pg_class WHERE relnamespace IN ('op'::regnamespace, '门诊'::regnamespace)
        UNION ALL SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'op'
        UNION ALL SELECT 'constraint', conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'op'::regnamespace
        UNION ALL SELECT 'comment', obj_description(oid, 'pg_constraint') FROM pg_constraint
        UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname !~ '^!'
        UNION ALL SELECT 'rule', rulename FROM pg_rules WHERE schemaname = 'op'
        UNION ALL SELECT 'function', proname::text FROM pg_proc WHERE pronamespace = 'op'::regnamespace
        UNION ALL SELECT 'extension', extname FROM pg_extension
        UNION ALL SELECT 'type', typname || enum_range(NULL::op.sex)::text FROM pg_type WHERE typname = 'sex'
      ) o WHERE name NOT IN ('his_emergency_owner') ORDER BY 1, 2";
    assert_eq!(standby(objects), h.primary.rows(DB, objects));
    for view in [
        "SELECT * FROM op.day_total",
        "SELECT * FROM op.z_base ORDER BY 1",
        "SELECT * FROM op.a_top",
        "SELECT * FROM op.of_key ORDER BY 1",
    ] {
        assert_eq!(standby(view), h.primary.rows(DB, view), "{view}");
    }
    let tagged = "SELECT id, name, tag(name) FROM tagged ORDER BY id";
    assert_eq!(standby(tagged), h.primary.rows(DB, tagged));
    assert_eq!(standby("SHOW search_path"), ["op, public"]);
    assert_eq!(standby("SHOW TimeZone"), ["Asia/Shanghai"]);
    assert_eq!(standby("SHOW default_transaction_read_only"), ["on"]);
    assert_eq!(
        standby(
            "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = 'his_g1' AND setrole <> 0"
        ),
        ["{work_mem=16MB}"]
    );
    assert_eq!(standby("SELECT relpersistence FROM pg_class WHERE relname = 'queue_now'"), ["p"]);
    assert_eq!(
        standby(
            "BEGIN READ WRITE; SELECT nextval('op.receipt_seq'), nextval('op.staff_staff_id_seq'), nextval('op.charge_charge_id_seq')"
        ),
        ["1001|3|900000000"]
    );
    assert_eq!(
        standby(
            "SELECT data_type, min_value, max_value, start_value, cycle FROM pg_sequences WHERE sequencename = 'charge_charge_id_seq'"
        ),
        ["bigint|900000000|900999999|900000000|f"]
    );
}

#[test]
fn window_roles_log_in_with_the_primarys_passwords_and_own_no_tables() {
    let h = Hospital::new();
    h.work.run("his-load-standby", &["init"]).expect(0);
    h.snapshot();
    h.load();
    let roles = "SELECT rolname, rolcanlogin, rolsuper FROM pg_roles WHERE rolname ~ '^his_' ORDER BY 1";
    assert_eq!(h.standby.rows("postgres", roles), ["his_app|t|f", "his_owner|f|f", "his_report|f|f"]);
    let verifier =
        "SELECT rolpassword, pg_has_role('his_app', 'his_owner', 'MEMBER') FROM pg_authid WHERE rolname = 'his_app'";
    assert_eq!(h.standby.rows("postgres", verifier), h.primary.rows("postgres", verifier));
    assert_eq!(
        h.standby.rows("postgres", "SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = 0"),
        ["{statement_timeout=60s}"]
    );
    assert!(!h.standby.log().contains("SCRAM-SHA-256"), "a verifier is in the log");
    let owned = "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE relkind IN ('r', 'p', 'S') AND r.rolname ~ '^his_'";
    assert_eq!(h.standby.rows("his_g1", owned), ["0"]);
    let mut window = h.standby.connect("his_app", "his_g1").expect("the window logs in");
    // Rows that the owner saw he still sees, and a role under a policy sees only its own.
    assert_eq!(window.query("SELECT FROM op.secret", &[]).expect("he may").len(), 2);
    h.standby.execute("postgres", "ALTER ROLE his_report LOGIN");
    let mut report = h.standby.connect("his_report", "his_g1").expect("the report logs in");
    assert_eq!(report.query("SELECT FROM op.secret", &[]).expect("it may").len(), 1);
}

#[test]
fn foreign_keys_that_a_filter_leaves_dangling_are_named_and_still_guard_new_rows() {
    let mut h = Hospital::new();
    let filtered = TABLES.replace("money = [\"total\"]", "money = [\"total\"]\nwhere = \"charge_id > 100\"");
    h.work.edit(|p| {
        p.tables(&filtered);
    });
    h.snapshot();
    let ran = h.work.program("his-load-standby", &["--json"]).run().expect(0);
    let dangling = ran.json()["dangling"].clone();
    assert_eq!(
        dangling,
        json!([
            {"table": "op.audit", "constraint": "audit_charge", "left_out": true},
            {"table": "op.charge_line", "constraint": "charge_line_charge_id_fkey", "left_out": false}
        ])
    );
    assert!(
        ran.stderr.contains("WARNING: foreign key 'charge_line_charge_id_fkey' of 'op.charge_line' does not hold"),
        "{}",
        ran.stderr
    );
    let keys = "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'op'::regnamespace AND (NOT convalidated OR conname = 'audit_charge')";
    assert_eq!(h.standby.rows("his_g1", keys), ["charge_line_charge_id_fkey|f"]);
    h.opened("his_g1");
    let refused = h
        .standby
        .client("his_g1")
        .batch_execute("BEGIN READ WRITE; INSERT INTO op.charge_line VALUES (1, 2, 'x', 1)")
        .expect_err("it guards");
    assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("23503"));
}

#[test]
fn p2_exact_the_real_his_arrives_with_all_its_keys() {
    let Some(dir) = real_his() else { return };
    let (primary, standby) = Cluster::pair();
    primary.create_database(DB);
    for file in ["load.sql", "add_fk.sql"] {
        primary.psql_file(DB, &dir.join(file));
    }
    let names = "SELECT '[[table]]' || E'\\n' || 'name = \"public.' || relname || '\"' FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1";
    let tables = primary.rows(DB, names).join("\n");
    let work = Workplace::new(&primary, &standby, &tables);
    let h = Hospital { primary, standby, work };
    h.snapshot();
    let loaded = h.load();
    assert_eq!((&loaded["rows"], &loaded["dangling"]), (&json!(33_296), &json!([])));
    assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &[]);
    assert_eq!(
        h.standby.value("his_g1", "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated AND connamespace = 'public'::regnamespace"),
        "26"
    );
}

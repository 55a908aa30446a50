//! P17: each role can do its own step of the whole chain, and nothing else. The roles are those of `samples/roles`.

use std::path::{Path, PathBuf};

use crate::support::workplace::{DB, Profile};
use crate::support::{Cluster, Program, Workplace, server};
use crate::switch::TABLES;

const SCHEMA: &str = "
CREATE SCHEMA op; CREATE SCHEMA other;
CREATE TABLE op.patient (id bigserial PRIMARY KEY, name text NOT NULL, branch text NOT NULL DEFAULT 'main');
CREATE TABLE op.item (code text PRIMARY KEY, price numeric(12,4) NOT NULL);
CREATE TABLE op.charge (id bigserial PRIMARY KEY, patient_id bigint NOT NULL REFERENCES op.patient, item text NOT NULL REFERENCES op.item, total numeric(12,4) NOT NULL);
CREATE TABLE other.salary (who text PRIMARY KEY, amount numeric NOT NULL);
-- What hides rows from most: a role that downloads must see them all.
ALTER TABLE op.patient ENABLE ROW LEVEL SECURITY; ALTER TABLE op.patient FORCE ROW LEVEL SECURITY;
CREATE POLICY branch ON op.patient USING (branch = current_setting('his.branch', true)) WITH CHECK (true);
CREATE VIEW op.debtors AS SELECT patient_id, sum(total) AS owes FROM op.charge GROUP BY patient_id;
INSERT INTO op.item VALUES ('A', 12.5); INSERT INTO op.patient (name) SELECT 'p' || i FROM generate_series(1, 10) i;
INSERT INTO other.salary VALUES ('chief', 99999);
GRANT USAGE ON SCHEMA op TO his_app; GRANT ALL ON op.charge TO his_app; GRANT SELECT ON op.item, op.patient TO his_app; GRANT USAGE ON ALL SEQUENCES IN SCHEMA op TO his_app;";

/// What charges refer to.
const REFERENCED: &str = r#"
[[table]]
name = "op.patient"
[[table]]
name = "op.item"
"#;

struct Roles {
    primary: Cluster,
    standby: Cluster,
    work: Workplace,
}

fn script(side: &Cluster, db: &str, name: &str, more: &[&str]) {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/roles").join(name);
    Program::at(&server::bin("psql"))
        .args(["-X", "-q", "-d", &side.url(db), "-f"])
        .args([&file])
        .args(more)
        .run()
        .expect(0);
}

/// Makes the roles of both servers by the scripts of the samples; a profile that logs in as each of them.
pub fn with_roles(primary: &Cluster, standby: &Cluster, captured: &str) -> Profile {
    script(primary, DB, "download.sql", &[]);
    script(primary, DB, "upload.sql", &["-v", &format!("captured={captured}")]);
    script(standby, "postgres", "standby.sql", &[]);
    let mut profile = Profile::new(primary, standby);
    profile.set("primary", "url", &format!("\"{}\"", primary.url_as("his_upload", DB)));
    profile.set("primary", "read_url", &format!("\"{}\"", primary.url_as("his_download", DB)));
    profile.set("standby", "url", &format!("\"{}\"", standby.url_as("his_loader", DB)));
    profile.set("standby", "window_roles", "[\"his_app\"]");
    profile
}

impl Roles {
    fn new() -> Roles {
        let (primary, standby) = Cluster::pair();
        primary.execute("postgres", "CREATE ROLE his_app LOGIN; CREATE ROLE his_clerk LOGIN");
        primary.create_database(DB);
        primary.execute(DB, SCHEMA);
        let mut profile = with_roles(&primary, &standby, "op.charge");
        profile.tables(&format!("{REFERENCED}{TABLES}")).set("site", "language", "\"en\"");
        Roles { primary, standby, work: Workplace::with(profile) }
    }

    /// The standby open, one charge on it.
    fn open(&self) {
        self.work.run("his-load-standby", &["init"]).expect(0);
        self.work.run("his-snapshot", &["-q"]).expect(0);
        self.work.run("his-load-standby", &["-q"]).expect(0);
        self.work.run("his-switch", &["standby", "--reason", "test"]).expect(0);
        self.standby
            .client_as("his_app", DB)
            .batch_execute("INSERT INTO op.charge (patient_id, item, total) VALUES (3, 'A', 12.5)")
            .expect("a window works on the open standby");
    }
}

/// Runs each statement as a role; every one must be refused for want of a right.
#[track_caller]
fn denied(side: &Cluster, role: &str, statements: &[&str]) {
    for statement in statements {
        let mut client = side.client_as(role, DB);
        let error = match client.batch_execute(statement) {
            Ok(()) => panic!("{role} may: {statement}"),
            Err(e) => e,
        };
        // insufficient_privilege, and what the gate says to whoever gets as far as it.
        let code = error.code().map_or_else(String::new, |c| c.code().to_owned());
        assert!(["42501", "25006", "HS001"].contains(&code.as_str()), "{role}: {statement}: {error:?}");
    }
}

#[test]
fn p17_each_role_does_its_own_step_of_the_whole_chain_without_being_a_superuser_of_the_primary() {
    let r = Roles::new();
    r.open();
    // Hidden rows are there too.
    assert_eq!(r.standby.value(DB, "SELECT count(*) FROM op.patient"), "10");
    r.work.run("his-export-queue", &[]).expect(0);
    r.work.run("his-merge", &["--early", "--dry-run"]).expect(0);
    r.work.run("his-switch", &["primary"]).expect(0);
    assert_eq!(r.primary.rows(DB, "SELECT patient_id, total FROM op.charge WHERE id = 900000"), ["3|12.5000"]);
    // The fence is lifted again, and windows are let in.
    r.primary.client_as("his_app", DB).batch_execute("SELECT 1").expect("the window is back");
    r.work.run("his-merge", &["reconcile"]).expect(0);
    for (role, by) in [("finance", "Li"), ("it", "Wang")] {
        r.work.run("his-merge", &["sign-off", "01-0001", "--as", role, "--by", by]).expect(0);
    }
    r.work.run("his-snapshot", &["check"]).expect(0);
    r.work.run("his-load-standby", &["check"]).expect(0);
    let seen = r.work.run("his-watch", &["--json"]).json();
    let checks = seen["checks"].as_array().expect("a list");
    assert!(checks.len() > 15 && !seen.to_string().contains("permission denied"), "{seen:#}");
}

#[test]
fn p17_the_role_that_downloads_changes_nothing_anywhere() {
    let r = Roles::new();
    r.open();
    r.work.run("his-export-queue", &[]).expect(0);
    r.work.run("his-merge", &["--early"]).expect(0);
    let mut all: Vec<String> = Vec::new();
    for table in ["op.patient", "op.item", "op.charge", "other.salary", "his_emergency.unit", "his_emergency.batch"] {
        let column = r.primary.value(
            DB,
            &format!(
                "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum = 1"
            ),
        );
        for statement in [
            format!("INSERT INTO {table} SELECT * FROM {table}"),
            format!("UPDATE {table} SET {column} = {column}"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
            format!("LOCK {table} IN EXCLUSIVE MODE"),
            format!("ALTER TABLE {table} ADD planted int"),
            format!("DROP TABLE {table}"),
        ] {
            all.push(format!("SET default_transaction_read_only = off; {statement}"));
        }
    }
    let other = [
        "CREATE SCHEMA planted",
        "CREATE TABLE op.planted ()",
        "SELECT setval('op.charge_id_seq', 1)",
        "ALTER ROLE his_app NOLOGIN",
        "CREATE ROLE planted",
        "SET ROLE his_upload",
        "SET session_replication_role = replica",
        "SELECT pg_read_file('postgresql.conf')",
        "COPY op.item TO PROGRAM 'cat'",
    ];
    all.extend(other.iter().map(|s| format!("SET default_transaction_read_only = off; {s}")));
    denied(&r.primary, "his_download", &all.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn p17_the_role_that_uploads_writes_captured_tables_and_its_ledger_and_nothing_else() {
    let r = Roles::new();
    r.open();
    // A session of a superuser, which the fence's right to end sessions must not reach.
    let _chief = r.primary.client(DB);
    denied(
        &r.primary,
        "his_upload",
        &[
            "INSERT INTO op.item VALUES ('B', 1)",
            "UPDATE op.item SET price = 0",
            "DELETE FROM op.item",
            "UPDATE op.patient SET name = 'x'",
            "DELETE FROM op.patient",
            "SELECT * FROM other.salary",
            "INSERT INTO other.salary VALUES ('x', 1)",
            "TRUNCATE op.charge",
            "ALTER TABLE op.charge DISABLE TRIGGER ALL",
            "ALTER TABLE op.charge ADD planted int",
            "DROP TABLE op.charge",
            "CREATE TABLE op.planted ()",
            "ALTER ROLE postgres PASSWORD 'x'",
            "ALTER ROLE his_upload SUPERUSER",
            "CREATE ROLE planted SUPERUSER",
            "SET ROLE postgres",
            "SELECT pg_read_file('postgresql.conf')",
            "COPY op.charge TO PROGRAM 'cat'",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres' AND backend_type = 'client backend'",
        ],
    );
}

#[test]
fn p17_a_window_of_the_standby_cannot_reach_behind_the_gate_and_the_capture() {
    let r = Roles::new();
    r.open();
    let mut all: Vec<String> = Vec::new();
    let relations = r.standby.rows(
        DB,
        "SELECT format('%I.%I', n.nspname, c.relname), c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'his_emergency' AND c.relkind IN ('r', 'S', 'v', 'p')",
    );
    assert!(relations.len() > 8, "{relations:?}");
    for relation in &relations {
        let (name, kind) = relation.split_once('|').expect("two columns");
        all.push(format!("SELECT * FROM {name}"));
        if kind == "S" {
            all.push(format!("SELECT setval('{name}', 1)"));
            all.push(format!("SELECT nextval('{name}')"));
        } else {
            all.extend([
                format!("DELETE FROM {name}"),
                format!("TRUNCATE {name}"),
                format!("INSERT INTO {name} DEFAULT VALUES"),
            ]);
        }
        all.push(format!("DROP {} {name}", if kind == "S" { "SEQUENCE" } else { "TABLE" }));
    }
    let functions = r.standby.rows(
        DB,
        "SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'his_emergency'",
    );
    assert!(functions.len() > 6, "{functions:?}");
    all.extend(functions.iter().map(|f| format!("DROP FUNCTION {f} CASCADE")));
    all.extend(
        [
            "ALTER TABLE op.charge DISABLE TRIGGER ALL",
            "SET session_replication_role = replica",
            "CREATE OR REPLACE FUNCTION his_emergency.gate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "CREATE FUNCTION his_emergency.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP EVENT TRIGGER his_emergency_ddl",
            "DROP EVENT TRIGGER his_emergency_drop",
            "ALTER DATABASE his SET default_transaction_read_only = on",
            "SET ROLE his_loader",
            "TRUNCATE op.charge",
            "INSERT INTO op.item VALUES ('B', 1)",
            "SELECT pg_read_file('postgresql.conf')",
        ]
        .map(str::to_owned),
    );
    denied(&r.standby, "his_app", &all.iter().map(String::as_str).collect::<Vec<_>>());
    // Nothing of that was left half done: the window works, and is captured.
    r.standby
        .client_as("his_app", DB)
        .batch_execute("INSERT INTO op.charge (patient_id, item, total) VALUES (4, 'A', 1)")
        .expect("a window works");
    assert_eq!(r.work.json(0, "his-export-queue", &[])["batches"][0]["units"], 2);
}

#[test]
fn p17_objects_of_a_window_with_the_names_of_ours_are_never_found_by_what_runs_with_our_rights() {
    let r = Roles::new();
    r.open();
    // Whatever runs with the rights of its owner says itself where it looks, and looks at what a session has made last.
    let unpinned = r.standby.rows(
        DB,
        "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'his_emergency' AND p.prosecdef
         AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)",
    );
    assert_eq!(unpinned, [""; 0]);
    let mut window = r.standby.client_as("his_app", DB);
    window
        .batch_execute(
            "CREATE TEMPORARY TABLE gate (last_value bigint); INSERT INTO gate VALUES (0);
             CREATE TEMPORARY TABLE unit (xid bigint); CREATE TEMPORARY TABLE change_1 (seq bigint); CREATE TEMPORARY TABLE captured (table_no int);
             CREATE TEMPORARY TABLE charge (id bigint);
             SET search_path = pg_temp, op, pg_catalog; SET DateStyle = 'SQL, DMY'; SET lc_monetary = 'C';
             INSERT INTO op.charge (patient_id, item, total) VALUES (5, 'A', 2)",
        )
        .expect("a window may have temporary tables of any name");
    let found =
        window.query_one("SELECT (SELECT count(*) FROM pg_temp.unit) + (SELECT count(*) FROM pg_temp.change_1)", &[]);
    assert_eq!(found.expect("its own tables").get::<_, i64>(0), 0);
    assert_eq!(r.work.json(0, "his-export-queue", &[])["batches"][0]["units"], 2);
    // And on the primary, a role that may make objects where the merge looks for the HIS's own.
    r.primary.execute(DB, "GRANT CREATE ON SCHEMA op, public TO his_clerk; GRANT USAGE ON SCHEMA op TO his_clerk");
    r.primary.client_as("his_clerk", DB).batch_execute(
        "CREATE FUNCTION op.planted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE FUNCTION op.lower(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN CREATE ROLE stolen SUPERUSER; RETURN $1; END $$;
         CREATE FUNCTION public.count(text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN CREATE ROLE stolen SUPERUSER; RETURN 0; END $$;
         CREATE FUNCTION public.jsonb_build_object(text, bigint) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN CREATE ROLE stolen SUPERUSER; RETURN NULL; END $$",
    ).expect("planted");
    r.work.run("his-switch", &["primary"]).expect(0);
    assert_eq!(r.primary.value("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'stolen'"), "0");
    assert_eq!(r.primary.value(DB, "SELECT count(*) FROM op.charge"), "2");
}

//! The gate: what a closed standby refuses, and what an open one does, whoever asks and however.

use crate::support::workplace::DB;
use crate::support::{Cluster, Program, Workplace};
use his_emergency::catalog::Catalog;
use his_emergency::db::Client;
use his_emergency::db::{Server, Side};
use his_emergency::profile::Profile;
use his_emergency::standby;
use std::time::Duration;

const SCHEMA: &str = "
CREATE TABLE plain (id int PRIMARY KEY, v text);
CREATE TABLE parts (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parts_old PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE parts_sub PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (id);
CREATE TABLE parts_leaf PARTITION OF parts_sub DEFAULT;
CREATE TABLE foreign_to_us (id int PRIMARY KEY);
CREATE TABLE scratch (id int PRIMARY KEY);
CREATE FUNCTION sneak() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO plain VALUES (77)';
INSERT INTO plain VALUES (1, 'a'), (2, 'b');
INSERT INTO parts VALUES (1, '2025-05-05'), (2, '2026-05-05');
INSERT INTO foreign_to_us VALUES (1);
GRANT ALL ON ALL TABLES IN SCHEMA public TO app, keeper;
ALTER TABLE plain OWNER TO keeper; ALTER TABLE parts OWNER TO keeper; ALTER TABLE parts_leaf OWNER TO keeper;
";

const TABLES: &str = "
[[table]]
name = \"public.plain\"
capture = true
[[table]]
name = \"public.parts\"
capture = true
[[table]]
name = \"public.scratch\"
scratch = true
";

/// A standby with gate and capture, closed.
struct Standby {
    cluster: Cluster,
    server: Server,
    _work: Workplace,
    _primary: Cluster,
}

impl Standby {
    fn new() -> Standby {
        let (primary, cluster) = Cluster::pair();
        cluster.execute("postgres", "CREATE ROLE app LOGIN; CREATE ROLE keeper LOGIN");
        cluster.create_database(DB);
        cluster.execute(DB, SCHEMA);
        let work = Workplace::new(&primary, &cluster, TABLES);
        let profile = Profile::read(&work.config()).expect("the profile of the test is right");
        let mut client = cluster.client(DB);
        let catalog = Catalog::read(&mut client).expect("the catalog can be read");
        standby::control(&mut client).expect("control objects");
        standby::record(&mut client, 1, "01", None, true).expect("the generation is recorded");
        standby::install(&mut client, &catalog, &profile).expect("gate and capture");
        standby::guard(&mut client).expect("the guard against DDL");
        cluster.execute("postgres", &format!("ALTER DATABASE {DB} SET default_transaction_read_only = on"));
        let server = Server::parse(Side::Standby, &cluster.url(DB)).expect("a URL");
        Standby { cluster, server, _work: work, _primary: primary }
    }

    /// A session that has stepped over the read-only default, a superuser's also out of reach of ordinary triggers.
    fn version(&self) -> u32 {
        self.cluster.value(DB, "SHOW server_version_num").parse().expect("a number")
    }

    fn session(&self, role: &str) -> Client {
        let mut client = self.cluster.client_as(role, DB);
        client.batch_execute("SET default_transaction_read_only = off").expect("anyone may");
        if role == "postgres" {
            client.batch_execute("SET session_replication_role = replica").expect("a superuser may");
        }
        client
    }

    fn open(&self) {
        standby::open(&mut self.session("postgres"), 1).expect("the gate opens");
    }

    fn close(&self, drain: Duration) -> Vec<standby::Ended> {
        standby::close(&self.server, DB, drain).expect("the gate closes")
    }

    fn content(&self) -> Vec<String> {
        let mut rows = self.cluster.rows(DB, "SELECT 'plain', id, v FROM plain ORDER BY id");
        rows.extend(self.cluster.rows(DB, "SELECT 'parts', id, day FROM parts ORDER BY id"));
        rows.extend(self.cluster.rows(DB, "SELECT 'foreign', id FROM foreign_to_us ORDER BY id"));
        rows
    }
}

/// SQLSTATE and message of what must be refused.
#[track_caller]
fn refusal<T>(result: Result<T, tokio_postgres::Error>) -> (String, String) {
    let Err(error) = result else { panic!("it was not refused") };
    let db = error.as_db_error().unwrap_or_else(|| panic!("no error of the server: {error:?}"));
    (db.code().code().to_owned(), db.message().to_owned())
}

const WRITES: [&str; 14] = [
    "INSERT INTO plain VALUES (9, 'x')",
    "INSERT INTO plain VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET v = 'x'",
    "UPDATE plain SET v = 'x'",
    "UPDATE plain SET v = 'x' WHERE false",
    "DELETE FROM plain",
    "TRUNCATE plain",
    "MERGE INTO plain USING (SELECT 1 AS id) s ON s.id = plain.id WHEN MATCHED THEN DELETE",
    "WITH w AS (INSERT INTO plain VALUES (8) RETURNING id) SELECT * FROM w",
    "INSERT INTO parts VALUES (9, '2026-03-03')",
    "UPDATE parts SET day = '2025-02-02'",
    "INSERT INTO parts_leaf VALUES (9, '2026-03-03')",
    "DELETE FROM ONLY parts_old",
    "TRUNCATE parts_sub",
    "INSERT INTO foreign_to_us VALUES (9)",
];

#[test]
fn p5_the_standby_is_closed_until_opened_no_dml_of_owner_window_or_superuser_changes_any_table() {
    let s = Standby::new();
    let before = s.content();
    for role in ["postgres", "keeper", "app"] {
        let mut session = s.session(role);
        // MERGE is of 15 and newer.
        let merge = s.version() >= 150_000;
        for write in WRITES.iter().filter(|w| merge || !w.starts_with("MERGE")) {
            for begin in [
                "BEGIN READ WRITE",
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE",
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE",
            ] {
                session.batch_execute(begin).expect("a transaction begins");
                let (code, message) = refusal(session.batch_execute(write));
                assert!(
                    code == "HS001" && message.contains("the emergency standby is closed"),
                    "{role}: {write}: {code} {message}"
                );
                session.batch_execute("ROLLBACK").expect("it ends");
            }
        }
        for table in ["plain (id, v)", "parts (id, day)", "parts_leaf (id, day)"] {
            let replica = if role == "postgres" { "SET session_replication_role = replica;" } else { "" };
            let script = format!(
                "{replica} BEGIN READ WRITE;\nCOPY {table} FROM STDIN (FORMAT csv);\n9,2026-04-04\n\\.\nCOMMIT;\n"
            );
            Program::psql(&s.cluster.url_as(role, DB))
                .stdin(&script)
                .run()
                .expect(3)
                .says("the emergency standby is closed; INSERT");
        }
        assert_eq!(refusal(session.batch_execute("SELECT sneak()")).0, "HS001", "{role}");
        assert_eq!(s.content(), before);
    }
}

#[test]
fn p5_the_standby_is_closed_until_opened_ddl_is_refused_before_and_after() {
    let s = Standby::new();
    let ddl = [
        "CREATE TABLE new (a int)",
        "CREATE TABLE new AS SELECT * FROM plain",
        "SELECT * INTO new FROM plain",
        "ALTER TABLE plain DISABLE TRIGGER ALL",
        "ALTER TABLE plain ADD COLUMN w int",
        "ALTER TABLE plain DISABLE TRIGGER \"!his_emergency_gate\"",
        "DROP TRIGGER \"!his_emergency_gate\" ON plain",
        "DROP TABLE plain",
        "CREATE OR REPLACE FUNCTION his_emergency.gate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "GRANT ALL ON plain TO PUBLIC",
        "ALTER TABLE parts DETACH PARTITION parts_old",
    ];
    for open in [false, true] {
        if open {
            s.open();
        }
        for statement in ddl {
            let mut session = s.session("postgres");
            let result = session.batch_execute(statement);
            assert!(result.is_err(), "open {open}: {statement}");
            assert_eq!(refusal(result).0, "HS001", "open {open}: {statement}");
        }
        s.session("app")
            .batch_execute("CREATE TEMPORARY TABLE mine (a int); INSERT INTO mine VALUES (1); DROP TABLE mine")
            .expect("temporary tables are the session's own");
    }
    s.session("postgres").batch_execute("CREATE SEQUENCE day_20261122").expect("some systems make a sequence per day");
    s.close(Duration::from_secs(1));
    assert_eq!(refusal(s.session("postgres").batch_execute("CREATE SEQUENCE day_20261123")).0, "HS001");
}

#[test]
fn p13_nothing_escapes_capture_an_open_standby_refuses_tables_that_are_not_captured_and_truncate() {
    let s = Standby::new();
    s.open();
    for role in ["postgres", "app"] {
        let mut session = s.session(role);
        let (code, message) = refusal(session.batch_execute("INSERT INTO foreign_to_us VALUES (5)"));
        assert!(code == "HS001" && message.contains("is not captured in the profile"), "{message}");
        for truncate in ["TRUNCATE plain", "TRUNCATE parts", "TRUNCATE parts_leaf", "TRUNCATE foreign_to_us"] {
            assert_eq!(refusal(session.batch_execute(truncate)).0, "HS001", "{truncate}");
        }
        session.batch_execute("INSERT INTO scratch VALUES (1); TRUNCATE scratch").expect("scratch is the windows' own");
    }
    let mut session = s.session("postgres");
    session.batch_execute("INSERT INTO plain VALUES (5, 'x'); INSERT INTO parts VALUES (5, '2026-02-02'); UPDATE parts_leaf SET id = 6 WHERE id = 5; DELETE FROM plain WHERE id = 5").expect("it is open");
    let captured = "SELECT op, o1, n1 FROM his_emergency.change_1 UNION ALL SELECT op, o1, n1 FROM his_emergency.change_2 ORDER BY 1, 2, 3";
    assert_eq!(s.cluster.rows(DB, captured), ["D|5|", "I||5", "I||5", "U|5|6"]);
}

#[test]
fn p5_the_standby_is_closed_until_opened_a_transaction_that_began_before_the_close_writes_nothing_after_it() {
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let s = Standby::new();
        s.open();
        let mut reader = s.session("app");
        reader
            .batch_execute(&format!("BEGIN ISOLATION LEVEL {level} READ WRITE; SELECT * FROM plain"))
            .expect("it is open");
        assert_eq!(s.close(Duration::from_secs(20)), []);
        let (code, message) = refusal(reader.batch_execute("INSERT INTO plain VALUES (50)"));
        assert!(code == "HS001" && message.contains("is closed"), "{level}: {message}");
    }
}

#[test]
fn p5_the_standby_is_closed_until_opened_closing_lets_writers_finish_and_ends_those_that_do_not() {
    let s = Standby::new();
    s.open();
    let mut quick = s.session("app");
    quick.batch_execute("BEGIN READ WRITE; INSERT INTO plain VALUES (50)").expect("it is open");
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| s.close(Duration::from_secs(20)));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!closing.is_finished(), "it waits for the writer");
        quick.batch_execute("INSERT INTO plain VALUES (51); COMMIT").expect("who has passed the gate may finish");
        assert_eq!(closing.join().expect("it closes"), []);
    });
    assert_eq!(s.cluster.value(DB, "SELECT count(*) FROM plain WHERE id IN (50, 51)"), "2");
    s.open();
    let mut stuck = s.session("app");
    stuck.batch_execute("BEGIN READ WRITE; INSERT INTO plain VALUES (60)").expect("it is open");
    let ended = s.close(Duration::from_millis(200));
    assert_eq!(ended.iter().map(|e| e.user.as_str()).collect::<Vec<_>>(), ["app"]);
    stuck.batch_execute("COMMIT").expect_err("it was ended");
    assert_eq!(s.cluster.value(DB, "SELECT count(*) FROM plain WHERE id = 60"), "0");
}

#[test]
fn p5_the_standby_is_closed_until_opened_one_that_was_killed_while_open_stays_shut() {
    let s = Standby::new();
    s.open();
    s.session("app").batch_execute("INSERT INTO plain VALUES (50, 'kept')").expect("it is open");
    s.cluster.stop_immediate();
    s.cluster.start_again();
    let (code, message) = refusal(s.session("app").batch_execute("INSERT INTO plain VALUES (51)"));
    assert!(code == "HS001" && message.contains("was restarted while open"), "{message}");
    let (code, _) = refusal(s.session("postgres").batch_execute("DELETE FROM parts_leaf"));
    assert_eq!(code, "HS001");
    assert_eq!(s.cluster.value(DB, "SELECT v FROM plain WHERE id = 50"), "kept");
    s.open();
    s.session("app").batch_execute("INSERT INTO plain VALUES (51)").expect("it is confirmed");
}

//! Numbers that the HIS keeps in tables are handed out once in their lives too, as those of sequences are.

use crate::support::workplace::DB;
use crate::support::{Cluster, Kind, Workplace};
use serde_json::{Value, json};
use std::fs;

/// What hands numbers out in a real one: a captured schedule (queue numbers), a scratch counter (receipts), one with
/// a key that text can spoil, and one without any key.
const SCHEMA: &str = r#"
CREATE TABLE schedule (id int PRIMARY KEY, current_no int NOT NULL CHECK (current_no <= 900));
CREATE TABLE registration (id bigserial PRIMARY KEY, schedule_id int NOT NULL, visit_seq int NOT NULL, receipt bigint NOT NULL,
  UNIQUE (schedule_id, visit_seq));
CREATE TABLE counter (id int PRIMARY KEY, last_no bigint NOT NULL);
CREATE TABLE "roll 号" ("on" date, "Who's" text, n int, note text, PRIMARY KEY ("on", "Who's"));
CREATE TABLE keyless (last_no bigint);
INSERT INTO schedule SELECT g, 0 FROM generate_series(1, 50) g;
UPDATE schedule SET current_no = 2 WHERE id IN (1, 2);
INSERT INTO registration (schedule_id, visit_seq, receipt) SELECT s, n, 10 * s + n FROM generate_series(1, 2) s, generate_series(1, 2) n;
INSERT INTO counter VALUES (1, 4);
INSERT INTO "roll 号" VALUES ('2026-11-30', E'a "b"\\\n', 7, NULL), ('2026-12-01', 'a', NULL, NULL);
INSERT INTO keyless VALUES (30);
"#;

const TABLES: &str = r#"
[[table]]
name = "public.schedule"
capture = true
[[table]]
name = "public.registration"
capture = true
[[table]]
name = "public.counter"
scratch = true
[[table]]
name = 'public."roll 号"'
scratch = true
[[table]]
name = "public.keyless"
scratch = true
[[numbers]]
sequence = "public.registration_id_seq"
block = [900000, 999999]
[[numbers]]
column = "public.schedule.current_no"
jump = 500
[[numbers]]
column = "public.counter.last_no"
start = 900000000
[[numbers]]
column = 'public."roll 号".n'
jump = 100
[[numbers]]
column = "public.keyless.last_no"
jump = 1000
"#;

/// What a window does: the next queue number of the doctor, with a receipt.
const REGISTER: &str = "
WITH s AS (UPDATE schedule SET current_no = current_no + 1 WHERE id = 1 RETURNING current_no),
     c AS (UPDATE counter SET last_no = last_no + 1 WHERE id = 1 RETURNING last_no)
INSERT INTO registration (schedule_id, visit_seq, receipt) SELECT 1, current_no, last_no FROM s, c RETURNING visit_seq || ' ' || receipt";

const ROLL: &str = r#"SET DateStyle = 'German'; UPDATE "roll 号" SET n = n + 1 WHERE n IS NOT NULL RETURNING n"#;
const KEYLESS: &str = "UPDATE keyless SET last_no = last_no + 1 RETURNING last_no";

struct Desk {
    primary: Cluster,
    standby: Cluster,
    work: Workplace,
}

impl Desk {
    fn new() -> Desk {
        let (primary, standby) = Cluster::pair();
        primary.create_database(DB);
        primary.execute(DB, SCHEMA);
        let work = Workplace::new(&primary, &standby, TABLES);
        work.run("his-load-standby", &["init"]).expect(0);
        Desk { primary, standby, work }
    }

    /// A full snapshot in a generation of its own.
    fn load(&self) -> Value {
        self.work.run("his-snapshot", &["--full"]).expect(0);
        self.work.json(0, "his-load-standby", &[])
    }

    fn open(&self) {
        self.work.json(0, "his-switch", &["standby", "--reason", "test"]);
    }

    /// Exports and merges, and the windows return.
    fn back(&self) {
        self.work.json(0, "his-switch", &["primary"]);
    }

    /// The last line that a window of the standby is told.
    fn window(&self, sql: &str) -> String {
        let told = self.standby.psql(DB, sql);
        told.lines().rfind(|l| !l.is_empty()).unwrap_or_default().to_owned()
    }

    /// So many registrations: queue number and receipt of each.
    fn register(&self, times: usize) -> Vec<String> {
        (0..times).map(|_| self.window(REGISTER)).collect()
    }

    /// What the store remembers of a column, by row.
    fn remembered(&self, column: &str) -> Value {
        let mut of = self.state()["table_numbers"][column].clone();
        for (_, reached) in of.as_object_mut().into_iter().flatten() {
            *reached = reached["last"].clone();
        }
        of
    }

    fn state(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.work.store().join("state.json")).expect("a state")).expect("JSON")
    }
}

#[test]
fn a_number_kept_in_a_table_is_handed_out_once_also_by_the_second_emergency_of_a_day() {
    let d = Desk::new();
    d.load();
    d.open();
    assert_eq!(d.register(3), ["503 900000001", "504 900000002", "505 900000003"]);
    assert_eq!((d.window(ROLL), d.window(ROLL), d.window(KEYLESS)), ("108".into(), "109".into(), "1031".into()));
    d.back();
    assert_eq!(d.primary.value(DB, "SELECT current_no FROM schedule WHERE id = 1"), "2", "it is never merged back");
    d.load();
    // Only rows that were handed out from are higher than the jump.
    assert_eq!(
        d.standby.rows("his_g2", "SELECT id, current_no FROM schedule WHERE id < 4 ORDER BY 1"),
        ["1|505", "2|502", "3|500"]
    );
    d.open();
    assert_eq!(d.register(2), ["506 900000004", "507 900000005"]);
    assert_eq!((d.window(ROLL), d.window(KEYLESS)), ("110".into(), "1032".into()));
    d.back();
    // The generation of the first emergency is gone by the third; what the primary reached itself counts where it is more.
    d.primary.execute(DB, "UPDATE schedule SET current_no = 20 WHERE id = 1");
    d.load();
    d.load();
    assert_eq!(d.standby.value("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'his_g1'"), "0");
    d.open();
    assert_eq!(d.register(1), ["521 900000006"]);
    assert_eq!((d.window(ROLL), d.window(KEYLESS)), ("111".into(), "1033".into()));
    d.back();
    assert_eq!(
        d.primary.rows(DB, "SELECT visit_seq FROM registration WHERE schedule_id = 1 ORDER BY 1"),
        ["1", "2", "503", "504", "505", "506", "507", "521"]
    );
    assert_eq!(d.primary.value(DB, "SELECT count(DISTINCT receipt) FROM registration"), "10");
}

#[test]
fn a_number_kept_in_a_table_goes_on_after_a_delta_and_after_the_delta_was_taken_back() {
    let mut d = Desk::new();
    d.work.set("store", "full_every", "\"24h\"");
    d.load();
    d.open();
    assert_eq!(d.register(3), ["503 900000001", "504 900000002", "505 900000003"]);
    d.back();
    d.load();
    let numbers = || d.standby.rows("his_g2", "SELECT id, current_no FROM schedule WHERE id IN (1, 2, 60) ORDER BY 1");
    let loaded = |generation: u64| {
        assert_eq!(d.work.json(0, "his-snapshot", &[])["kind"], "delta");
        assert_eq!(d.work.json(0, "his-load-standby", &[])["generation"], generation);
    };
    d.primary.execute(DB, "UPDATE schedule SET current_no = 4 WHERE id < 3; INSERT INTO schedule VALUES (60, 0); UPDATE counter SET last_no = 9");
    loaded(2);
    assert_eq!(numbers(), ["1|505", "2|504", "60|500"]);
    d.work.json(0, "his-load-standby", &["rollback"]);
    assert_eq!(numbers(), ["1|505", "2|502"]);
    d.primary.execute(DB, "UPDATE schedule SET current_no = 5 WHERE id < 3");
    loaded(2);
    assert_eq!(numbers(), ["1|505", "2|505", "60|500"]);
    d.open();
    assert_eq!(d.register(2), ["506 900000004", "507 900000005"]);
    d.back();
    // A new one of the full snapshot and every delta.
    loaded(3);
    d.open();
    assert_eq!(d.register(1), ["508 900000006"]);
    d.back();
}

#[test]
fn a_number_kept_in_a_table_goes_on_in_an_older_generation_that_is_opened_after_a_rollback() {
    let d = Desk::new();
    d.load();
    d.load();
    d.open();
    assert_eq!(d.register(2), ["503 900000001", "504 900000002"]);
    assert_eq!(d.window(ROLL), "108");
    d.work.json(3, "his-switch", &["primary", "--merge-later"]);
    assert_eq!(d.work.json(0, "his-load-standby", &["rollback"])["generation"], 1);
    assert_eq!(d.standby.value("his_g1", "SELECT current_no FROM schedule WHERE id = 1"), "502");
    d.open();
    assert_eq!(d.register(1), ["505 900000003"]);
    assert_eq!((d.window(ROLL), d.window(KEYLESS)), ("109".into(), "1031".into()));
    // What was put aside for that is in its place again.
    let off = "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE '!his%' AND tgenabled <> 'A') || ' ' ||
               (SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'his%' AND evtenabled = 'A')";
    assert_eq!(d.standby.value(DB, off), "0 2");
    d.back();
    let ours = "SELECT visit_seq FROM registration WHERE visit_seq > 500 ORDER BY 1";
    assert_eq!(d.primary.rows(DB, ours), ["503", "504", "505"]);
}

#[test]
fn a_number_kept_in_a_table_goes_on_on_a_standby_that_was_rebuilt_from_nothing() {
    let mut d = Desk::new();
    d.load();
    d.open();
    assert_eq!(d.register(2), ["503 900000001", "504 900000002"]);
    // The store knows what was exported before the server is closed.
    d.work.json(0, "his-export-queue", &[]);
    assert_eq!(d.remembered("public.schedule.current_no"), json!({ "{\"id\": \"1\"}": 504 }));
    assert_eq!(d.remembered("public.counter.last_no"), json!({ "{\"id\": \"1\"}": 900_000_002 }));
    assert_eq!(d.remembered("public.roll 号.n"), json!(null));
    assert_eq!(d.window(ROLL), "108");
    d.back();
    let key = "{\"on\": \"2026-11-30\", \"Who's\": \"a \\\"b\\\"\\\\\\n\"}";
    assert_eq!(d.state()["table_numbers"]["public.\"roll 号\".n"][key]["last"], 108, "{:#}", d.state());
    d.standby.stop_immediate();
    d.standby = Cluster::start(Kind::Standby);
    let url = format!("\"{}\"", d.standby.url(DB));
    d.work.set("standby", "url", &url);
    d.work.run("his-load-standby", &["init"]).expect(0);
    d.load();
    d.open();
    assert_eq!(d.register(1), ["505 900000003"]);
    assert_eq!((d.window(ROLL), d.window(KEYLESS)), ("109".into(), "1031".into()));
    d.back();
}

#[test]
fn a_number_kept_in_a_table_goes_on_after_a_margin_on_a_standby_that_died_open_where_the_table_has_room_for_it() {
    let d = Desk::new();
    d.load();
    d.open();
    assert_eq!(d.register(2), ["503 900000001", "504 900000002"]);
    d.window("UPDATE schedule SET current_no = 895 WHERE id = 2");
    d.standby.stop_immediate();
    d.standby.start_again();
    let confirmed = d.work.run("his-switch", &["standby", "--reason", "test"]).expect(0);
    confirmed.says("a row stays where it is and may hand out a number again");
    assert_eq!(
        d.standby.rows(DB, "SELECT id, current_no FROM schedule WHERE id < 4 ORDER BY 1"),
        ["1|514", "2|895", "3|500"]
    );
    assert_eq!(d.register(1), ["515 900001003"]);
    d.back();
    d.load();
    assert_eq!(
        d.standby.rows("his_g2", "SELECT id, current_no FROM schedule WHERE id < 4 ORDER BY 1"),
        ["1|515", "2|895", "3|500"]
    );
}

#[test]
fn a_number_that_a_rule_of_the_table_refuses_on_a_fresh_standby_refuses_the_load() {
    let d = Desk::new();
    d.load();
    d.open();
    d.register(3);
    d.back();
    d.primary.execute(DB, "ALTER TABLE schedule ADD CHECK (current_no <= 502)");
    d.work.run("his-snapshot", &["--full"]).expect(0);
    let refused = d.work.run("his-load-standby", &[]).expect(1);
    let refused = refused.says("cannot go on with the numbers of 'public.schedule.current_no'");
    assert!(refused.hint().contains("make room in that row on the primary"), "{}", refused.shown());
}

#[test]
fn what_a_row_reached_is_forgotten_once_it_is_old_and_the_primary_has_passed_it_or_lost_the_row() {
    let d = Desk::new();
    d.load();
    d.open();
    d.register(3);
    d.window("UPDATE schedule SET current_no = current_no + 1 WHERE id IN (3, 4)");
    d.window(ROLL);
    d.back();
    let row = |id: u32| format!("{{\"id\": \"{id}\"}}");
    let all = json!({ row(1): 505, row(3): 501, row(4): 501 });
    d.primary.execute(DB, "UPDATE schedule SET current_no = 20 WHERE id = 1; DELETE FROM schedule WHERE id = 3");
    d.load();
    assert_eq!(d.remembered("public.schedule.current_no"), all, "an older snapshot may still be loaded");
    let mut state = d.state();
    for (_, rows) in state["table_numbers"].as_object_mut().expect("columns") {
        for (_, reached) in rows.as_object_mut().expect("rows") {
            reached["at"] = json!("2020-01-01T00:00:00Z");
        }
    }
    fs::write(d.work.store().join("state.json"), state.to_string()).expect("written");
    d.load();
    assert_eq!(d.state()["table_numbers"].as_object().map(serde_json::Map::len), Some(3));
    assert_eq!(d.remembered("public.schedule.current_no"), json!({ row(4): 501 }));
}

#[test]
fn a_table_that_has_another_key_than_before_goes_on_above_the_highest_of_all_its_rows() {
    let d = Desk::new();
    d.load();
    d.open();
    d.register(3);
    assert_eq!(d.window(KEYLESS), "1031");
    d.back();
    d.primary.execute(
        DB,
        "ALTER TABLE keyless ADD id int PRIMARY KEY DEFAULT 1;
         ALTER TABLE schedule DROP CONSTRAINT schedule_pkey; ALTER TABLE schedule ADD day int NOT NULL DEFAULT 1, ADD PRIMARY KEY (day, id)",
    );
    d.load();
    let numbers = "SELECT current_no FROM schedule WHERE id < 4 UNION ALL SELECT last_no FROM keyless";
    assert_eq!(d.standby.rows("his_g2", numbers), ["505", "505", "505", "1031"]);
}

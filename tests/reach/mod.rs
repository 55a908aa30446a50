//! One primary and more than one of what is usual: standbys at several campuses, replicas to download from, servers that take
//! turns, versions.

mod campuses;
mod hosts;
mod replicas;
mod versions;

use crate::support::workplace::{DB, Profile};
use crate::support::{Cluster, Kind, Workplace};
use serde_json::{Value, json};

/// A day at a campus needs patients, places at doctors, registrations and charges.
pub const SCHEMA: &str = "
CREATE SCHEMA op;
CREATE TABLE op.patient (id bigserial PRIMARY KEY, name text NOT NULL, phone text);
CREATE TABLE op.schedule (id int PRIMARY KEY, slots_left int NOT NULL CHECK (slots_left >= 0));
CREATE TABLE op.registration (id bigserial PRIMARY KEY, patient_id bigint NOT NULL REFERENCES op.patient, schedule_id int NOT NULL REFERENCES op.schedule,
  visit_date date NOT NULL, fee numeric(10,2) NOT NULL);
CREATE TABLE op.charge (id bigserial PRIMARY KEY, registration_id bigint NOT NULL REFERENCES op.registration, total numeric(12,4) NOT NULL);
CREATE TABLE op.payment (charge_id bigint REFERENCES op.charge, seq int, amount numeric(12,4) NOT NULL, PRIMARY KEY (charge_id, seq));
INSERT INTO op.patient (name, phone) SELECT 'p' || i, '1' FROM generate_series(1, 300) i;
INSERT INTO op.schedule SELECT i, CASE WHEN i = 1 THEN 1 ELSE 500 END FROM generate_series(1, 5) i;
INSERT INTO op.registration (patient_id, schedule_id, visit_date, fee) SELECT i, 2, date '2026-11-01', 5 FROM generate_series(1, 50) i;";

const SEQUENCES: [&str; 3] = ["op.patient_id_seq", "op.registration_id_seq", "op.charge_id_seq"];

/// The tables of the profile, the emergency numbers beginning at `first`.
pub fn tables(first: u64) -> String {
    let tables = r#"
[[table]]
name = "op.patient"
capture = true
personal = ["name", "phone"]
[[table]]
name = "op.schedule"
capture = true
counter = ["slots_left"]
[[table]]
name = "op.registration"
capture = true
money = ["fee"]
same_as = ["patient_id", "visit_date"]
[[table]]
name = "op.charge"
capture = true
money = ["total"]
[[table]]
name = "op.payment"
capture = true
money = ["amount"]
part_of = "op.charge"
"#;
    let number = |sequence| format!("[[numbers]]\nsequence = \"{sequence}\"\nblock = [{first}, {}]\n", first + 999);
    SEQUENCES.iter().map(number).fold(tables.to_owned(), |text, block| text + &block)
}

/// A campus: a standby, and a profile, numbers and a store of its own.
pub struct Campus {
    pub standby: Cluster,
    pub work: Workplace,
    pub code: &'static str,
}

impl Campus {
    /// Initialised; the first one takes the snapshots, and each other one is fed with them.
    pub fn new(primary: &Cluster, kind: Kind, code: &'static str, first: u64) -> Campus {
        let standby = Cluster::start(kind);
        let mut profile = Profile::new(primary, &standby);
        profile.tables(&tables(first)).set("site", "code", &format!("\"{code}\""));
        if code != "01" {
            profile.set("store", "snapshots_of", "[\"01\"]");
        }
        let work = Workplace::with(profile);
        work.run("his-load-standby", &["init"]).expect(0);
        Campus { standby, work, code }
    }

    /// Fetches what another campus has taken.
    pub fn fetch(&self, from: &Campus) -> Value {
        let from = from.work.store().join("snapshots").display().to_string();
        self.work.json(0, "his-snapshot", &["fetch", "--from", &from])
    }

    pub fn load(&self) -> Value {
        self.work.json(0, "his-load-standby", &[])
    }

    /// Opens the standby; gives the event.
    pub fn open(&self) -> String {
        let opened = self.work.json(0, "his-switch", &["standby", "--reason", "the line is cut"]);
        assert_eq!(opened["mode"], "standby");
        opened["event"].as_str().expect("an id").to_owned()
    }

    /// What one window does in one transaction.
    pub fn window(&self, sql: &str) {
        self.standby.execute(DB, &format!("BEGIN; {sql}; COMMIT;"));
    }

    /// A patient is registered and pays: a place less, a registration, a charge with its payment.
    pub fn visit(&self, patient: u64, schedule: u64, cents: u64) {
        self.window(&format!(
            "UPDATE op.schedule SET slots_left = slots_left - 1 WHERE id = {schedule};
             WITH r AS (INSERT INTO op.registration (patient_id, schedule_id, visit_date, fee) VALUES ({patient}, {schedule}, '2026-11-30', 12.50) RETURNING id),
                  c AS (INSERT INTO op.charge (registration_id, total) SELECT id, {cents}::numeric / 100 FROM r RETURNING id, total)
             INSERT INTO op.payment SELECT id, 1, total FROM c"
        ));
    }

    pub fn export(&self) {
        self.work.run("his-export-queue", &[]).expect(0);
    }

    pub fn merge(&self, code: i32) -> Value {
        self.work.json(code, "his-merge", &["--early"])
    }

    /// The windows return; gives the account.
    pub fn home(&self, code: i32) -> Value {
        let returned = self.work.json(code, "his-switch", &["primary"]);
        assert_eq!(returned["mode"], "normal", "{returned}");
        let status = self.work.json(0, "his-merge", &["status"]);
        assert_eq!((&status["balanced"], &status["closed"]), (&json!(true), &json!(true)), "{status}");
        status
    }

    /// `kind table` of what this campus' units are held for, sorted.
    pub fn held_for(&self) -> Vec<String> {
        let listed = self.work.json(0, "his-merge", &["conflicts"]);
        let all = listed["conflicts"].as_array().expect("a list").clone();
        let own = all.iter().filter(|c| c["unit"].as_str().is_some_and(|u| u.starts_with(self.code)));
        let mut kinds: Vec<String> = own.map(|c| format!("{} {}", c["kind"], c["table"]).replace('"', "")).collect();
        kinds.sort();
        kinds
    }
}

/// Rows of an emergency and their money on the primary, of the numbers from `first`.
pub fn brought(primary: &Cluster, first: u64) -> String {
    let of = |table: &str, key: &str, money: &str| {
        format!(
            "(SELECT count(*) || ' ' || coalesce(sum({money}), 0) FROM op.{table} WHERE {key} BETWEEN {first} AND {first} + 999)"
        )
    };
    primary.value(
        DB,
        &format!(
            "SELECT {} || ', ' || {} || ', ' || {}",
            of("registration", "id", "fee"),
            of("charge", "id", "total"),
            of("payment", "charge_id", "amount")
        ),
    )
}

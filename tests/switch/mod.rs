//! `his-switch`, from outside: real servers, real windows, one connection string.

mod bouncer;
mod fence;
mod mirror;
mod moves;
mod precedence;
mod refusals;
mod resume;
mod shows;
mod stays;
mod traffic;

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::support::workplace::DB;
use crate::support::{Cluster, Program, Windows, Workplace, standby_first};

const SWITCH: &str = "his-switch";

/// What windows do: one charge, its number from the sequence.
const CHARGE: &str = "INSERT INTO op.charge (total, who) VALUES (12.3456, :client || '/' || :turn)";

const SCHEMA: &str = "
CREATE SCHEMA op;
CREATE TABLE op.charge (id bigserial PRIMARY KEY, total numeric(12,4) NOT NULL, who text);
GRANT USAGE ON SCHEMA op TO his_app; GRANT ALL ON ALL TABLES IN SCHEMA op TO his_app; GRANT ALL ON ALL SEQUENCES IN SCHEMA op TO his_app;
INSERT INTO op.charge (total, who) SELECT i, 'before' FROM generate_series(1, 20) i;";

pub const TABLES: &str = r#"
[[table]]
name = "op.charge"
capture = true
money = ["total"]
[[numbers]]
sequence = "op.charge_id_seq"
block = [900000, 999999]
"#;

/// An outpatient department with windows that log in as `his_app`.
pub struct Hospital {
    pub primary: Cluster,
    pub standby: Cluster,
    pub work: Workplace,
}

impl Hospital {
    /// Set up, with a generation loaded.
    pub fn new() -> Hospital {
        let hospital = Hospital::without_generation();
        hospital.load();
        hospital
    }

    pub fn without_generation() -> Hospital {
        let (primary, standby) = Cluster::pair();
        primary.execute("postgres", "CREATE ROLE his_app LOGIN");
        primary.create_database(DB);
        primary.execute(DB, SCHEMA);
        let mut work = Workplace::new(&primary, &standby, TABLES);
        work.edit(|profile| {
            profile.set("standby", "window_roles", "[\"his_app\"]").set("limits", "fence", "\"1s\"");
            profile.set("site", "language", "\"en\"");
        });
        work.run("his-load-standby", &["init"]).expect(0);
        Hospital { primary, standby, work }
    }

    /// A fresh snapshot, loaded.
    pub fn load(&self) {
        self.work.run("his-snapshot", &["-q"]).expect(0);
        self.work.run("his-load-standby", &["-q"]).expect(0);
    }

    /// The windows' one connection string.
    fn string(&self) -> String {
        standby_first(&self.standby, &self.primary, "his_app", DB)
    }

    pub fn windows(&self) -> Windows {
        Windows::new(&self.string(), CHARGE).clients(4)
    }

    /// The side that a new window lands on, and writes on; or what it is told.
    pub fn side(&self) -> String {
        let sql = "INSERT INTO op.charge (total, who) VALUES (1, 'asks'); SELECT current_setting('port')";
        let ran = Program::psql(&self.string()).stdin(sql).run();
        match ran.stdout.trim() {
            "54321" => "primary".to_owned(),
            "54322" => "standby".to_owned(),
            _ => ran.stderr,
        }
    }

    /// Runs the switch; gives its JSON.
    #[track_caller]
    pub fn switch(&self, code: i32, args: &[&str]) -> Value {
        self.work.json(code, SWITCH, args)
    }

    #[track_caller]
    pub fn open(&self) -> Value {
        self.switch(0, &["standby", "--reason", "test"])
    }

    #[track_caller]
    pub fn status(&self) -> Value {
        self.switch(0, &["status"])
    }

    /// The acts of the journal as `act result`, in order, from the first one of this name.
    pub fn journal(&self, from: &str) -> Vec<String> {
        let text = fs::read_to_string(self.work.store().join("journal.jsonl")).expect("there is a journal");
        let acts = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is an object"));
        let acts = acts.map(|a| format!("{} {}", a["act"].as_str().unwrap(), a["result"].as_str().unwrap()));
        acts.skip_while(|a| !a.starts_with(from)).collect()
    }

    /// Charges on the primary and their sum; whatever happened, they must be everything that windows committed.
    pub fn charges_on_primary(&self) -> usize {
        self.primary.value(DB, "SELECT count(*) FROM op.charge WHERE who LIKE '%/%'").parse().expect("a number")
    }
}

const SOON: Duration = Duration::from_secs(20);

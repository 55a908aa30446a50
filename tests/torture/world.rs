//! The outpatient department that is tortured: what its windows do, and everything that must be as if nothing had happened.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use his_emergency::db::Client;
use serde_json::Value;

use crate::support::workplace::DB;
use crate::support::{Cluster, Workplace, wait_until};

const SCHEMA: &str = "
CREATE SCHEMA op;
CREATE TABLE op.patient (id bigserial PRIMARY KEY, tag text NOT NULL, name text, phone text);
CREATE TABLE op.schedule (id int PRIMARY KEY, slots_left int NOT NULL);
CREATE TABLE op.visit (id bigserial PRIMARY KEY, patient_id bigint NOT NULL REFERENCES op.patient, schedule_id int NOT NULL REFERENCES op.schedule, tag text NOT NULL);
CREATE TABLE op.charge (id bigserial PRIMARY KEY, visit_id bigint NOT NULL REFERENCES op.visit, total numeric(12,4) NOT NULL, status text NOT NULL DEFAULT 'paid', tag text NOT NULL);
CREATE TABLE op.line (id bigserial PRIMARY KEY, charge_id bigint NOT NULL REFERENCES op.charge, amount numeric(12,4) NOT NULL, tag text NOT NULL);
CREATE TABLE op.audit (charge_id bigint NOT NULL, what text NOT NULL);
ALTER TABLE op.audit ADD id bigserial PRIMARY KEY;
CREATE FUNCTION op.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO op.audit (charge_id, what) VALUES (NEW.id, TG_OP); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON op.charge FOR EACH ROW EXECUTE FUNCTION op.note();
INSERT INTO op.schedule SELECT i, 100000 FROM generate_series(1, 3) i;
INSERT INTO op.patient (tag, name, phone) SELECT 'p' || i, 'name', '1' FROM generate_series(1, 30) i;
GRANT USAGE ON SCHEMA op TO his_app;
GRANT ALL ON ALL TABLES IN SCHEMA op TO his_app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA op TO his_app;";

const TABLES: &str = r#"
[[table]]
name = "op.patient"
capture = true
personal = ["name", "phone"]
[[table]]
name = "op.schedule"
capture = true
counter = ["slots_left"]
[[table]]
name = "op.visit"
capture = true
[[table]]
name = "op.charge"
capture = true
money = ["total"]
part_of = "op.visit"
[[table]]
name = "op.line"
capture = true
money = ["amount"]
part_of = "op.charge"
[[table]]
name = "op.audit"
capture = true
[[numbers]]
sequence = "op.patient_id_seq"
block = [900000000, 999999999]
[[numbers]]
sequence = "op.visit_id_seq"
block = [900000000, 999999999]
[[numbers]]
sequence = "op.charge_id_seq"
block = [900000000, 999999999]
[[numbers]]
sequence = "op.line_id_seq"
block = [900000000, 999999999]
[[numbers]]
sequence = "op.audit_id_seq"
block = [900000000, 999999999]
"#;

/// What the department comes to, ids left out and tags in their place: a crash of a server skips numbers, as it may.
const CONTENT: [(&str, &str); 6] = [
    ("patients", "SELECT tag, name, phone FROM op.patient ORDER BY 1, 2, 3"),
    ("slots", "SELECT id, slots_left FROM op.schedule ORDER BY 1"),
    (
        "visits",
        "SELECT v.tag, p.tag, v.schedule_id FROM op.visit v LEFT JOIN op.patient p ON p.id = v.patient_id ORDER BY 1, 2, 3",
    ),
    (
        "charges",
        "SELECT c.tag, v.tag, c.total, c.status FROM op.charge c LEFT JOIN op.visit v ON v.id = c.visit_id ORDER BY 1, 2, 3, 4",
    ),
    (
        "lines",
        "SELECT l.tag, c.tag, l.amount FROM op.line l LEFT JOIN op.charge c ON c.id = l.charge_id ORDER BY 1, 2, 3",
    ),
    (
        "audit",
        "SELECT c.tag, a.what, count(*) FROM op.audit a LEFT JOIN op.charge c ON c.id = a.charge_id GROUP BY 1, 2 ORDER BY 1, 2",
    ),
];

/// A registration with its charge and two lines, as one transaction.
fn registration(tag: &str, patient: &str, schedule: u32, cents: u32) -> String {
    format!(
        "UPDATE op.schedule SET slots_left = slots_left - 1 WHERE id = {schedule};
         INSERT INTO op.visit (patient_id, schedule_id, tag) SELECT id, {schedule}, '{tag}' FROM op.patient WHERE tag = '{patient}';
         INSERT INTO op.charge (visit_id, total, tag) SELECT id, {cents}::numeric / 100, '{tag}' FROM op.visit WHERE tag = '{tag}';
         INSERT INTO op.line (charge_id, amount, tag) SELECT id, 1, '{tag}a' FROM op.charge WHERE tag = '{tag}';
         INSERT INTO op.line (charge_id, amount, tag) SELECT id, {cents}::numeric / 100 - 1, '{tag}b' FROM op.charge WHERE tag = '{tag}';"
    )
}

/// Units and their rows by event and outcome.
const LEDGER: &str = "SELECT event, status, count(*), sum(rows) FROM his_emergency.unit GROUP BY 1, 2 ORDER BY 1, 2";

/// Rows of one registration: slot, visit, charge, its audit, two lines.
const REGISTRATION_ROWS: usize = 6;

/// A transaction of a window that is still open.
pub struct Pending {
    client: Client,
    script: String,
    tag: String,
}

/// One department with its two servers.
pub struct World {
    pub primary: Cluster,
    pub standby: Cluster,
    pub work: Workplace,
    /// Snapshots are deltas where they can be.
    pub deltas: bool,
    /// Transactions that a dying server took and that were done once more on the primary, by event: they are in no ledger.
    done_again: BTreeMap<String, usize>,
    /// The visits whose commit a window was told of: each must be on the primary once.
    committed: RefCell<BTreeSet<String>>,
}

impl World {
    pub fn new(deltas: bool) -> World {
        let (primary, standby) = Cluster::pair();
        primary.execute("postgres", "CREATE ROLE his_app LOGIN");
        primary.create_database(DB);
        primary.execute(DB, SCHEMA);
        let mut work = Workplace::new(&primary, &standby, TABLES);
        work.edit(|profile| {
            profile.set("standby", "window_roles", "[\"his_app\"]").set("limits", "fence", "\"2s\"");
            profile.set("site", "language", "\"en\"").set("limits", "max_shrink", "100").set(
                "limits",
                "max_change",
                "100",
            );
            // Said either way: the two kinds of departments are compared with each other.
            profile.set("store", "full_every", if deltas { "\"24h\"" } else { "\"0s\"" });
            profile.set("store", "keep", "{ recent = 2, daily = 0, weekly = 0 }").set("store", "mirror", "\"mirror\"");
        });
        work.run("his-load-standby", &["init"]).expect(0);
        World { primary, standby, work, deltas, done_again: BTreeMap::new(), committed: RefCell::default() }
    }

    /// A registration on the primary, as on any day.
    pub fn morning(&self, round: usize) {
        self.register(&self.primary, &format!("day{round}"), "p1", 1, 1234);
    }

    /// And a new patient.
    pub fn noon(&self, round: usize) {
        self.on_primary(&format!("INSERT INTO op.patient (tag, name, phone) VALUES ('n{round}', 'new', '2')"));
    }

    /// What the primary does after the snapshot: it changes the patient that a window of the standby will change too.
    pub fn gap(&self, round: usize) {
        self.on_primary(&format!("UPDATE op.patient SET phone = 'gap{round}' WHERE tag = 'p2'"));
        self.register(&self.primary, &format!("gap{round}"), "p3", 2, 500);
    }

    /// What the windows do on the standby before anything is exported.
    pub fn first_hour(&self, round: usize) {
        self.register(&self.standby, &format!("first{round}"), "p4", 1, 9999);
        self.on_standby(&format!("INSERT INTO op.patient (tag, name, phone) VALUES ('e{round}', 'e', '3')"));
        self.register(&self.standby, &format!("new{round}"), &format!("e{round}"), 3, 777);
        self.on_standby(&format!("UPDATE op.patient SET phone = 'ours{round}' WHERE tag = 'p2'"));
    }

    /// And after the first export.
    pub fn second_hour(&self, round: usize) {
        self.on_standby(&format!("UPDATE op.charge SET status = 'refunded' WHERE tag = 'first{round}'"));
        self.register(&self.standby, &format!("second{round}"), "p5", 2, 101);
    }

    fn register(&self, side: &Cluster, tag: &str, patient: &str, schedule: u32, cents: u32) {
        act(side, &registration(tag, patient, schedule, cents));
        self.was_committed(tag);
    }

    fn was_committed(&self, tag: &str) {
        self.committed.borrow_mut().insert(tag.to_owned());
    }

    /// A registration that is written and not yet committed.
    pub fn begin(&self, tag: &str) -> Pending {
        let mut client = self.standby.client_as("his_app", DB);
        let script = registration(tag, "p6", 3, 4321);
        client.batch_execute(&format!("BEGIN; {script}")).expect("a window of the open standby writes");
        Pending { client, script, tag: tag.to_owned() }
    }

    /// Commits it on the standby, or, when its session has died, does it once more there.
    pub fn commit(&self, mut pending: Pending) {
        if pending.client.batch_execute("COMMIT").is_err() && !self.is_on_standby(&pending.tag) {
            self.on_standby(&pending.script);
        }
        self.was_committed(&pending.tag);
    }

    /// Commits it after a moment, while the standby may be closing; says whether that was confirmed.
    pub fn commit_soon(pending: Pending, after: Duration) -> thread::JoinHandle<(Pending, bool)> {
        thread::spawn(move || {
            let mut pending = pending;
            thread::sleep(after);
            let confirmed = pending.client.batch_execute("COMMIT").is_ok();
            (pending, confirmed)
        })
    }

    /// What a window does when it is back on the primary: with a transaction that failed, it looks, and does it again.
    pub fn settle(&mut self, event: &str, pending: &Pending, confirmed: bool) {
        self.was_committed(&pending.tag);
        if confirmed || self.is_on_standby(&pending.tag) {
            return;
        }
        self.on_primary(&pending.script);
        *self.done_again.entry(event.to_owned()).or_default() += 1;
    }

    fn is_on_standby(&self, tag: &str) -> bool {
        self.standby.value(DB, &format!("SELECT count(*) FROM op.visit WHERE tag = '{tag}'")) != "0"
    }

    fn on_primary(&self, sql: &str) {
        act(&self.primary, sql);
    }

    fn on_standby(&self, sql: &str) {
        act(&self.standby, sql);
    }

    /// Everything that must be the same as without faults, as lines of text.
    pub fn state(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (what, query) in CONTENT {
            lines.extend(self.primary.rows(DB, query).into_iter().map(|row| format!("{what}: {row}")));
        }
        let visits = self.primary.rows(DB, "SELECT tag FROM op.visit");
        for tag in &*self.committed.borrow() {
            match visits.iter().filter(|v| *v == tag).count() {
                0 => lines.push(format!("lost: the visit {tag}, whose commit was confirmed")),
                1 => {}
                n => lines.push(format!("doubled: the visit {tag} is there {n} times")),
            }
        }
        let status = self.work.json(0, "his-switch", &["status"]);
        for key in ["mode", "event", "moving", "fence", "journal"] {
            lines.push(format!("status {key}: {}", status[key]));
        }
        let again = |event: &str| self.done_again.get(event).copied().unwrap_or(0);
        let event = status["event"].as_str().unwrap_or_default();
        for (what, count) in status["units"].as_object().expect("counts of units") {
            let count = usize::try_from(count.as_u64().unwrap_or(0)).unwrap_or(0);
            let more = if matches!(what.as_str(), "held" | "rejected") { 0 } else { again(event) };
            lines.push(format!("status units {what}: {}", count + more));
        }
        for row in self.primary.rows(DB, LEDGER) {
            let row: Vec<&str> = row.split('|').collect();
            let number = |at: usize| row[at].parse::<usize>().expect("a count");
            let more = if row[1] == "merged" { again(row[0]) } else { 0 };
            let (units, rows) = (number(2) + more, number(3) + more * REGISTRATION_ROWS);
            lines.push(format!("ledger: {} {} {units} units, {rows} rows", row[0], row[1]));
        }
        let asked = self.work.json(0, "his-merge", &["status"]);
        lines.push(format!("balanced: {}", asked["balanced"]));
        let unequal = asked["money"].as_array().expect("money").iter().filter(|m| m["captured"] != m["merged"]);
        lines.push(format!("money that is not merged: {:?}", unequal.collect::<Vec<_>>()));
        lines.push(format!("open conflicts: {}", self.work.json(0, "his-merge", &["conflicts"])["conflicts"]));
        lines.push(format!("batches verify: {}", self.work.run("his-export-queue", &["verify"]).code));
        lines.push(format!("snapshots verify: {}", self.work.run("his-snapshot", &["verify", "--all"]).code));
        lines.push(format!("gate: {}", self.standby.value(DB, "SELECT last_value FROM his_emergency.gate")));
        lines.extend(acts(&self.work.store()).into_iter().map(|act| format!("act: {act}")));
        for folder in ["store", "mirror"] {
            lines.push(format!("left in the {folder}: {:?}", unfinished(&self.work.path().join(folder))));
        }
        lines.extend(mirrored(self.work.path()));
        lines.extend(self.sessions_left());
        lines
    }

    /// Sessions of ours that stay; those of a process that was killed may need a moment to end.
    fn sessions_left(&self) -> Vec<String> {
        let left = |side: &Cluster| {
            side.rows(
                "postgres",
                "SELECT application_name, state, query FROM pg_stat_activity WHERE application_name LIKE 'his%'",
            )
        };
        let mut tries = 0;
        loop {
            let found: Vec<String> = [&self.primary, &self.standby].into_iter().flat_map(left).collect();
            tries += 1;
            if found.is_empty() || tries > 200 {
                return found.into_iter().map(|s| format!("session left: {s}")).collect();
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts a server that has died.
    pub fn revive(side: &Cluster) {
        if !side.running() {
            side.start_again();
        }
        wait_until("the server answers", Duration::from_secs(30), || side.connect("postgres", "postgres").is_ok());
    }
}

fn act(side: &Cluster, sql: &str) {
    let mut client = side.client_as("his_app", DB);
    if let Err(e) = client.batch_execute(&format!("BEGIN; {sql}; COMMIT")) {
        panic!("a window of the {} cannot work: {e:?}\n{sql}", side.kind().name());
    }
}

/// Acts that a command is asked for. What a move does on its way (closing, fencing) is between its `begun` and its `done`,
/// and a run that was killed between doing it and saying so is finished by one that finds it done.
const ASKED: [&str; 6] = ["switch standby", "export", "merge", "switch primary", "resolve", "sign off"];

/// The acts of the journal that say that something was done, each once: a second run may say it again.
fn acts(store: &Path) -> Vec<String> {
    let text = fs::read_to_string(store.join("journal.jsonl")).unwrap_or_default();
    let mut acts: Vec<String> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|act| act["result"] == "done" && ASKED.iter().any(|asked| act["act"] == *asked))
        .map(|act| format!("{} {}", act["event"].as_str().unwrap_or(""), act["act"].as_str().unwrap_or("")))
        .collect();
    acts.sort();
    acts.dedup();
    acts
}

/// Files that a run left unfinished.
fn unfinished(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(".unfinished") {
                found.push(name);
            } else if entry.path().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// What the mirror lacks of journal, state and batches.
fn mirrored(place: &Path) -> Vec<String> {
    let mut lacks = Vec::new();
    for file in ["state.json", "journal.jsonl"] {
        if fs::read(place.join("store").join(file)).ok() != fs::read(place.join("mirror").join(file)).ok() {
            lacks.push(format!("mirror: {file} differs"));
        }
    }
    for event in fs::read_dir(place.join("store/queue")).into_iter().flatten().flatten() {
        for batch in fs::read_dir(event.path()).into_iter().flatten().flatten() {
            let beside = place.join("mirror/queue").join(event.file_name()).join(batch.file_name());
            let sums = |dir: &Path| fs::read(dir.join("SHA256SUMS")).ok();
            if sums(&beside) != sums(&batch.path()) {
                lacks.push(format!("mirror: batch {} lacks", beside.display()));
            }
        }
    }
    lacks
}

//! Many cases at once in one pair of databases: each has keys and unique values of its own, so that one export and one
//! merge carry hundreds of them and each is judged by itself.

use super::history::{BATCHES, Case, Played};
use super::schema::SCHEMA;
use super::server::{State, WIDTH, shown};
use super::{open, trace};
use crate::support::random::Random;
use crate::support::sql::text_rows;
use crate::support::workplace::DB;
use crate::support::{Cluster, Digest, Workplace, copy};
use his_emergency::db::Client;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use tokio_postgres::SimpleQueryMessage;

/// How the batches of a world are merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Batches of each run, one after the other; all that are left come with the last.
    pub runs: Vec<usize>,
    /// How often each run is killed before it may end.
    pub kills: usize,
    /// After the windows are back, not while they are still on the standby.
    pub late: bool,
}

/// The two servers, used for one world after the other.
pub struct Arena {
    primary: Cluster,
    standby: Cluster,
}

/// One pair of databases with the work of both sides done and exported.
pub struct World<'a> {
    arena: &'a Arena,
    work: Workplace,
    /// Transaction id on the standby: case and number of its transaction.
    pub transactions: BTreeMap<String, (usize, usize)>,
    /// The batch that each part of the windows' work was exported in, if there was any.
    batches: Vec<Option<PathBuf>>,
    /// How long a whole merge takes, as far as is known.
    takes: Cell<Duration>,
}

/// What the programs made of it.
pub struct Found {
    /// `his-merge conflicts`: unit, kind, table.
    pub conflicts: Vec<(String, String, String)>,
    /// What the ledger says of each unit.
    pub status: BTreeMap<String, String>,
    /// Rows of the primary by place and table.
    pub rows: Rows,
    /// `his_emergency.already`: unit's transaction id, table, key.
    pub already: Vec<(String, String, String)>,
    /// What the last run said of the event.
    pub account: serde_json::Value,
}

/// Rows as text, sorted, by place and table.
pub type Rows = BTreeMap<(usize, usize), Vec<String>>;

const TEMPLATE: &str = "his_template";

impl Arena {
    pub fn new() -> Self {
        let (primary, standby) = Cluster::pair();
        for cluster in [&primary, &standby] {
            cluster.create_database(TEMPLATE);
            cluster.execute(TEMPLATE, &SCHEMA.ddl());
        }
        primary.execute(TEMPLATE, &SCHEMA.ddl_of_the_primary());
        Self { primary, standby }
    }
}

impl<'a> World<'a> {
    /// Lets both sides do their work, and exports it batch by batch. An error is one of the test itself.
    pub fn new(arena: &'a Arena, cases: &[Case], played: &[Played], random: &mut Random) -> Result<Self, String> {
        let start: String = (1..).zip(cases).map(|(place, case)| inserts(&case.start, place)).collect();
        let start = format!("BEGIN; {start} COMMIT; ANALYZE;");
        for cluster in [&arena.primary, &arena.standby] {
            create(cluster, DB, TEMPLATE);
            cluster.execute(DB, &start);
        }
        let work = Workplace::new(&arena.primary, &arena.standby, &SCHEMA.profile());
        open::open(&arena.standby, &work);
        let mut world = Self {
            arena,
            work,
            transactions: BTreeMap::new(),
            batches: Vec::new(),
            takes: Cell::new(Duration::from_secs(1)),
        };
        world.work_of_the_primary(cases)?;
        for batch in 0..BATCHES {
            world.work_of_the_windows(cases, played, batch, random)?;
            let made = world.work.json(0, "his-export-queue", &[]);
            world.batches.push(made["batches"][0]["path"].as_str().map(PathBuf::from));
        }
        for (side, cluster) in [("primary", &arena.primary), ("standby", &arena.standby)] {
            let rows = rows(&mut cluster.client(DB));
            for (place, played) in (1..).zip(played) {
                let expected = expected_rows(if side == "primary" { &played.primary } else { &played.standby }, place);
                let found = of_place(&rows, place);
                if expected != found {
                    return Err(format!("the model of the {side} is wrong: expected {expected:#?}, found {found:#?}"));
                }
            }
        }
        create(&arena.primary, "his_before", DB);
        copy(&world.work.store(), &work_copy(&world.work));
        Ok(world)
    }

    fn work_of_the_primary(&self, cases: &[Case]) -> Result<(), String> {
        let mut script = String::new();
        for (place, case) in (1..).zip(cases) {
            for transaction in case.meanwhile.iter().filter(|t| !t.rolled_back) {
                let statements: Vec<String> = transaction.statements.iter().map(|s| s.sql(place)).collect();
                script += &format!("BEGIN; {}; COMMIT;\n", statements.join("; "));
            }
        }
        self.arena
            .primary
            .client(DB)
            .batch_execute(&script)
            .map_err(|e| format!("the primary refuses its own work: {e:?}"))
    }

    /// The transactions of one batch, those of different cases between each other.
    fn work_of_the_windows(
        &mut self,
        cases: &[Case],
        played: &[Played],
        batch: usize,
        random: &mut Random,
    ) -> Result<(), String> {
        let of_case =
            |case: &Case| (0..case.window.len()).filter(|n| case.window[*n].batch == batch).collect::<Vec<_>>();
        let mut waiting: Vec<(usize, Vec<usize>)> =
            (1..).zip(cases.iter().map(of_case)).filter(|(_, w)| !w.is_empty()).collect();
        waiting.iter_mut().for_each(|(_, numbers)| numbers.reverse());
        let mut order: Vec<(usize, usize)> = Vec::new();
        while !waiting.is_empty() {
            let at = random.below(waiting.len());
            let (place, numbers) = &mut waiting[at];
            order.extend(numbers.pop().map(|number| (*place, number)));
            if numbers.is_empty() {
                waiting.swap_remove(at);
            }
        }
        let mut client = self.arena.standby.client(DB);
        for some in order.chunks(200) {
            let mut script = String::new();
            for (place, number) in some {
                let transaction = &cases[place - 1].window[*number];
                let statements: String = transaction.statements.iter().map(|s| s.sql(*place) + "; ").collect();
                let end = if transaction.rolled_back { "ROLLBACK" } else { "COMMIT" };
                script += &format!("BEGIN; {statements} SELECT pg_current_xact_id(); {end};\n");
            }
            let answer = client.simple_query(&script).map_err(|e| format!("the standby refuses a window: {e:?}"))?;
            let xids = text_rows(&answer);
            assert_eq!(xids.len(), some.len(), "each transaction says its id");
            for (xid, (place, number)) in xids.into_iter().zip(some) {
                if played[place - 1].transaction.contains(number) {
                    self.transactions.insert(format!("01-0001/1-{xid}"), (*place, *number));
                }
            }
        }
        Ok(())
    }

    /// Puts the primary and the store back to where they were before any merge.
    pub fn rewind(&self) {
        create(&self.arena.primary, DB, "his_before");
        fs::remove_dir_all(self.work.store()).expect("the store can be removed");
        copy(&work_copy(&self.work), &self.work.store());
    }

    /// Merges as planned, and then once more, which must change nothing.
    pub fn merge(&self, plan: &Plan, random: &mut Random) -> Result<Found, String> {
        if plan.late {
            open::end(&self.work);
        }
        let began = Instant::now();
        let mut account = serde_json::Value::Null;
        let mut batches = self.batches.iter();
        for (number, count) in (1..).zip(&plan.runs) {
            let last = number == plan.runs.len();
            let dirs: Vec<&PathBuf> = batches.by_ref().take(if last { BATCHES } else { *count }).flatten().collect();
            if dirs.is_empty() && !last {
                continue;
            }
            let mut args: Vec<String> =
                if last { Vec::new() } else { dirs.iter().map(|d| d.display().to_string()).collect() };
            if !plan.late {
                args.push("--early".to_owned());
            }
            account = self.run(&args, plan.kills, random)?;
        }
        if plan.runs.len() == 1 && plan.kills == 0 {
            self.takes.set(began.elapsed());
        }
        let (digest, ledger) = (self.digest(), self.ledger());
        let args: &[&str] = if plan.late { &[] } else { &["--early"] };
        let again = self.work.program("his-merge", args).args(["--json"]).run();
        let again = if matches!(again.code, 0 | 3) { again.json() } else { return Err(again.shown()) };
        let status = self.work.json(0, "his-merge", &["status"]);
        for (what, said) in [("again", &again), ("status", &status)] {
            for part in ["units", "rows", "money", "balanced"] {
                if said[part] != account[part] {
                    return Err(format!("{what}: {part} is {} (it was {})", said[part], account[part]));
                }
            }
        }
        let zero = serde_json::json!({ "merged": 0, "held": 0 });
        if again["new"] != zero || self.digest() != digest || self.ledger() != ledger {
            return Err(format!(
                "a second merge changes something: {}\n{ledger:#?}\n{:#?}",
                again["new"],
                self.ledger()
            ));
        }
        // Whatever is held: everything is accounted for, and the primary holds what was merged.
        let reconciled = self.work.program("his-merge", &["reconcile"]).args(["--json"]).run();
        if reconciled.code != 0 {
            return Err(format!("it does not reconcile: exit code {}\n{}", reconciled.code, reconciled.shown()));
        }
        let mut client = self.arena.primary.client(DB);
        let conflicts = self.work.json(0, "his-merge", &["conflicts"]);
        let text = |c: &serde_json::Value, name: &str| c[name].as_str().unwrap_or("-").to_owned();
        let conflicts = conflicts["conflicts"].as_array().cloned().unwrap_or_default();
        Ok(Found {
            conflicts: conflicts.iter().map(|c| (text(c, "unit"), text(c, "kind"), text(c, "table"))).collect(),
            status: statuses(&mut client),
            rows: rows(&mut client),
            already: already(&mut client),
            account,
        })
    }

    /// One run, killed now and then before it ends.
    fn run(&self, args: &[String], kills: usize, random: &mut Random) -> Result<serde_json::Value, String> {
        let args: Vec<&str> = args.iter().map(String::as_str).chain(["--json"]).collect();
        for _ in 0..kills {
            let running = self.work.start("his-merge", &args);
            thread::sleep(self.takes.get().mul_f32(0.01 * random.below(100) as f32));
            let ran = running.kill();
            if !matches!(ran.code, 0 | 3 | 7 | 137) {
                return Err(format!("{}\n{}", ran.what, ran.shown()));
            }
            trace(&format!("killed: {}", ran.code));
        }
        for _ in 0..200 {
            let ran = self.work.run("his-merge", &args);
            match ran.code {
                0 | 3 => {
                    trace(&format!("{} took {:?}", ran.what, ran.took));
                    return Ok(ran.json());
                }
                // The session of one that was killed has yet to notice.
                7 if kills > 0 => thread::sleep(Duration::from_millis(50)),
                _ => return Err(format!("{}\nexit code {}\n{}", ran.what, ran.code, ran.shown())),
            }
        }
        Err("a killed merge holds its lock for ever".to_owned())
    }

    fn digest(&self) -> Digest {
        self.arena.primary.digest(DB)
    }

    /// Rows and hash of each table of the ledger.
    fn ledger(&self) -> Vec<String> {
        let mut client = self.arena.primary.client(DB);
        let tables = "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'his_emergency' AND c.relkind = 'r' AND c.relname <> 'merge_run' ORDER BY 1";
        let tables = text_rows(&client.simple_query(tables).expect("the ledger can be read"));
        let digest = |table: String| {
            let sql = format!(
                "SELECT '{table}', count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE \"C\")) FROM his_emergency.{table} t"
            );
            text_rows(&client.simple_query(&sql).expect("the ledger can be read")).concat()
        };
        tables.into_iter().map(digest).collect()
    }
}

fn create(cluster: &Cluster, db: &str, template: &str) {
    cluster.execute("postgres", &format!("DROP DATABASE IF EXISTS {db} WITH (FORCE)"));
    cluster.execute("postgres", &format!("CREATE DATABASE {db} TEMPLATE {template}"));
}

fn work_copy(work: &Workplace) -> PathBuf {
    work.path().join("store.before")
}

fn inserts(state: &State, place: usize) -> String {
    let mut script = String::new();
    for (table, rows) in SCHEMA.tables.iter().zip(&state.0).filter(|(_, rows)| !rows.is_empty()) {
        let row = |row: &[super::server::Value]| {
            format!("({})", row.iter().map(|v| v.sql(place)).collect::<Vec<_>>().join(", "))
        };
        let values: Vec<String> = rows.values().map(|r| row(r)).collect();
        script += &format!("INSERT INTO o.{} VALUES {};\n", table.name, values.join(", "));
    }
    script
}

/// The rows of every table as text.
fn rows(client: &mut Client) -> Rows {
    let mut all = Rows::new();
    for (number, table) in SCHEMA.tables.iter().enumerate() {
        let answer = client.simple_query(&format!("SELECT * FROM o.{}", table.name)).expect("a table can be read");
        for message in &answer {
            if let SimpleQueryMessage::Row(row) = message {
                let key: i64 = row.get(0).and_then(|k| k.parse().ok()).expect("a key is a number");
                let place = usize::try_from(key / WIDTH).expect("places are few");
                let values = (0..row.len()).map(|i| row.get(i).map(str::to_owned));
                let shown = shown(values, table.columns.iter().map(|c| c.kind));
                all.entry((place, number)).or_default().push(shown);
            }
        }
    }
    all.values_mut().for_each(|rows| rows.sort());
    all
}

/// The same for a state of the model.
pub fn expected_rows(state: &State, place: usize) -> BTreeMap<usize, Vec<String>> {
    let rows = |(table, rows): (usize, &BTreeMap<_, std::sync::Arc<super::server::Row>>)| {
        let mut rows: Vec<String> = rows.values().map(|row| super::server::shown_row(table, row, place)).collect();
        rows.sort();
        (table, rows)
    };
    state.0.iter().enumerate().filter(|(_, rows)| !rows.is_empty()).map(rows).collect()
}

/// The rows of one place by table.
pub fn of_place(rows: &Rows, place: usize) -> BTreeMap<usize, Vec<String>> {
    rows.range((place, 0)..(place + 1, 0)).map(|((_, table), rows)| (*table, rows.clone())).collect()
}

fn statuses(client: &mut Client) -> BTreeMap<String, String> {
    let sql = "SELECT event || '/' || generation || '-' || xid, status FROM his_emergency.unit";
    let rows = client.query(sql, &[]).expect("the ledger can be read");
    rows.iter().map(|r| (r.get(0), r.get(1))).collect()
}

fn already(client: &mut Client) -> Vec<(String, String, String)> {
    let sql = "SELECT event || '/' || generation || '-' || xid, table_name, (SELECT string_agg(value, ',' ORDER BY n) FROM json_each_text(key::json) WITH ORDINALITY AS k(name, value, n)) FROM his_emergency.already";
    let rows = client.query(sql, &[]).expect("the ledger can be read");
    rows.iter().map(|r| (r.get(0), r.get(1), r.get(2))).collect()
}

//! Random schemas and random days: after each load the standby has, row for row, what the primary had in that snapshot,
//! whether it came as a delta, as several at once, or as a full one, and also after a step back.
//!
//! `HIS_TRIALS` says how many snapshots, `HIS_SEED` which.

use super::Hospital;
use super::ground::{self, Table};
use crate::support::random::Random;
use crate::support::sql::text_rows;
use crate::support::workplace::DB;
use crate::support::{Cluster, Kind, Workplace, aloud};
use his_emergency::db::Client;
use his_emergency::profile::Profile;
use his_emergency::snapshot::{self, Standing};
use his_emergency::store::Store;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Instant;

/// Snapshots of one schema.
const DAYS: usize = 12;
/// Tables of one schema.
const TABLES: usize = 8;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|e| panic!("{name} is '{text}': {e}")))
}

/// The rows of a table that must be in a snapshot, and those that may: they differ where a filter looks at the clock.
type Rows = (Vec<String>, Vec<String>);

/// What was in a snapshot, by table.
type State = BTreeMap<String, Rows>;

/// What the trials came to.
#[derive(Debug, Default)]
struct Counts {
    snapshots: usize,
    deltas: usize,
    /// Loads that brought a generation forward, and steps back from there.
    forward: usize,
    back: usize,
    rebuilt: usize,
}

struct World {
    h: Hospital,
    tables: Vec<Table>,
    random: Random,
    /// Counts everything that is written, so that no two values are the same.
    n: usize,
    /// Transactions that stay open over snapshots.
    open: Vec<Client>,
    prepared: Vec<String>,
    expected: BTreeMap<String, State>,
    /// What was done, for the one who has to find out why.
    told: Vec<String>,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.told.join("\n"));
        }
    }
}

impl World {
    fn new(mut random: Random) -> World {
        let standby = std::thread::spawn(|| Cluster::start(Kind::Standby));
        let primary = Cluster::start_with(Kind::Primary, &[("max_prepared_transactions", "10")]);
        let standby = standby.join().expect("the standby starts");
        primary.create_database(DB);
        primary.execute(DB, ground::BEFORE);
        let tables = ground::tables(&mut random, TABLES);
        let (mut told, mut toml) = (Vec::new(), String::new());
        for table in &tables {
            told.push(table.create());
            primary.execute(DB, told.last().expect("just pushed"));
            toml += &table.toml();
        }
        let mut work = Workplace::new(&primary, &standby, &toml);
        work.set("store", "full_every", "\"24h\"");
        let h = Hospital { primary, standby, work };
        let (open, prepared, expected) = (Vec::new(), Vec::new(), BTreeMap::new());
        let world = World { h, tables, random, n: 0, open, prepared, expected, told };
        for place in 0..world.tables.len() {
            let fill = world.tables[place].insert_many(1, 40, 0);
            world.h.primary.execute(DB, &fill);
        }
        world
    }

    fn run(mut self, counts: &mut Counts, most: usize) {
        let mut generation = Value::Null;
        for day in 1..=DAYS.min(most) {
            self.day();
            let last = day == DAYS.min(most);
            let id = self.snapshot(counts);
            if !last && self.random.percent(25) {
                continue;
            }
            if last && !generation.is_null() {
                // Once it was opened, the same is wanted in a generation of its own: the full one and all deltas.
                let newest = self.h.databases().pop().expect("a generation");
                self.h.opened(&newest);
                self.h.closed(&newest);
                counts.rebuilt += 1;
            }
            let loaded = self.load(&[], &id);
            let forward = loaded["generation"] == generation;
            generation = loaded["generation"].clone();
            counts.forward += usize::from(forward);
            if forward && self.random.percent(30) {
                let back = self.h.work.json(0, "his-load-standby", &["rollback"]);
                self.told.push(format!("-- back: {back}"));
                let before = back["snapshot"].as_str().expect("an id").to_owned();
                self.require(back["database"].as_str().expect("a name"), &before);
                self.load(&[&id], &id);
                counts.back += 1;
            }
        }
        self.h.work.run("his-snapshot", &["verify", "--all"]).expect(0);
    }

    fn snapshot(&mut self, counts: &mut Counts) -> String {
        let full = self.random.percent(4);
        let began = self.h.primary.value(DB, "SELECT now()");
        let ran = self.h.work.run("his-snapshot", if full { &["--full", "--json"] } else { &["--json"] }).expect(0);
        let ended = self.h.primary.value(DB, "SELECT now()");
        let taken = ran.json();
        let id = taken["snapshot"].as_str().expect("an id").to_owned();
        self.told.push(format!("-- {id}: {} {}", taken["kind"], ran.stderr.trim()));
        counts.snapshots += 1;
        counts.deltas += usize::from(taken["kind"] == "delta");
        let (mut client, mut state) = (self.h.primary.client(DB), State::new());
        for table in &self.tables {
            let columns = columns(&mut client, table);
            let mut at = |now: &str| rows(&mut client, &table.rows(&columns, Some(now)));
            let both = (at(&ended), at(&began));
            state.insert(columns, both);
        }
        self.expected.insert(id.clone(), state);
        id
    }

    fn load(&mut self, args: &[&str], id: &str) -> Value {
        let args = [args, &["--accept-shrink", "--accept-change", "--json"]].concat();
        let ran = self.h.work.run("his-load-standby", &args);
        assert_eq!(ran.code, 0, "the load of {id}: {}", ran.shown());
        let loaded = ran.json();
        self.told.push(format!("-- loaded: generation {} of {}", loaded["generation"], loaded["snapshot"]));
        assert_eq!(loaded["snapshot"], id);
        self.require(loaded["database"].as_str().expect("a name"), id);
        loaded
    }

    /// A database of the standby has what was in the snapshot.
    fn require(&self, database: &str, id: &str) {
        self.require_files(database, id);
        let mut client = self.h.standby.client(database);
        for ((columns, (must, may)), table) in self.expected[id].iter().zip(sorted(&self.tables)) {
            let there = rows(&mut client, &table.rows(columns, None));
            let missing: Vec<_> = must.iter().filter(|row| there.binary_search(row).is_err()).collect();
            let extra: Vec<_> = there.iter().filter(|row| may.binary_search(row).is_err()).collect();
            let fits = (must.len()..=may.len()).contains(&there.len());
            assert!(
                fits && missing.is_empty() && extra.is_empty(),
                "{} of {id} in {database}: {} rows (expected {} to {})\nmissing: {missing:#?}\nextra: {extra:#?}",
                table.name,
                there.len(),
                must.len(),
                may.len()
            );
        }
    }

    /// What is read of the files, without a server, is what is in the database that was made of them.
    fn require_files(&self, database: &str, id: &str) {
        let profile = Profile::read(&self.h.work.config()).expect("a profile");
        let store = Store::open(&profile).expect("a store");
        let taken = snapshot::open(&store, Some(id)).expect("a snapshot");
        let standing = Standing::verified(&store, taken).expect("all of it is there");
        let mut client = self.h.standby.client(database);
        for table in &self.tables {
            let columns: Vec<String> = standing.columns(&table.name).expect("it is downloaded").to_vec();
            let cells = |record: &[u8]| {
                let cell = |at| String::from_utf8_lossy(&snapshot::text(record, at)).into_owned();
                Some((0..columns.len()).map(cell).collect::<Vec<_>>().join("|"))
            };
            let (mut read, digest) =
                standing.rows(&table.name, cells).unwrap_or_else(|e| panic!("{}: {e}", table.name));
            read.sort();
            let quoted: Vec<String> = columns.iter().map(|c| crate::support::sql::quoted(c)).collect();
            // Where a filter looks at the clock, times are written as the database shows them.
            let tables = &standing.snapshot().manifest.tables;
            let zone = &tables.iter().find(|t| t.table.to_string() == table.name).expect("it is there").timezone;
            let from = format!("{}{}", table.only(), table.name);
            let sql = format!("SET TimeZone = '{zone}'; SELECT {} FROM {from}", quoted.join(", "));
            let there = rows(&mut client, &sql);
            assert_eq!(read, there, "{} of {id} in {database}", table.name);
            assert_eq!(standing.digest(&table.name).expect("it can be read"), digest, "{}", table.name);
        }
    }

    /// What happens between two snapshots.
    fn day(&mut self) {
        for _ in 0..2 + self.random.below(6) {
            match self.random.below(100) {
                0..50 => self.transaction(),
                50..62 => self.end_open(),
                62..70 => self.end_prepared(),
                70..90 => self.chore(),
                90..98 => self.frozen(),
                _ => self.structure(),
            }
        }
        let hours = self.random.below(3);
        self.do_now(&format!("UPDATE h.clock SET t = t + {hours}"));
    }

    fn number(&mut self) -> usize {
        self.n += 1;
        self.n
    }

    fn table(&mut self) -> Table {
        let place = self.random.below(self.tables.len());
        self.tables[place].clone()
    }

    fn session(&self) -> Client {
        let mut client = self.h.primary.client(DB);
        // Rows and tables that an open transaction holds are left alone.
        client.batch_execute("SET lock_timeout = '20ms'").expect("it can be set");
        client
    }

    /// Some statements, which may be refused: a key that is taken, a lock that another holds.
    fn transaction(&mut self) {
        let mut client = self.session();
        let savepoints = self.random.percent(50);
        client.batch_execute("BEGIN").expect("begun");
        // One that keeps a table to itself would keep the snapshot out.
        let (mut broken, mut alone) = (false, false);
        for _ in 0..=self.random.below(4) {
            let (table, n) = (self.table(), self.number());
            let sql = table.statement(&mut self.random, n);
            let wrapped = if savepoints { format!("SAVEPOINT s{n}; {sql}") } else { sql };
            alone |= wrapped.contains("TRUNCATE");
            let done = client.batch_execute(&wrapped).is_ok();
            self.told.push(format!("{wrapped}; -- {done}"));
            if savepoints {
                let undone = !done || self.random.percent(20);
                let end = format!("{} SAVEPOINT s{n}", if undone { "ROLLBACK TO" } else { "RELEASE" });
                broken |= client.batch_execute(&end).is_err();
                self.told.push(end);
            } else {
                broken |= !done;
            }
            if broken {
                break;
            }
        }
        match self.random.below(10) {
            _ if broken => drop(client.batch_execute("ROLLBACK")),
            0 => {
                self.told.push("ROLLBACK".to_owned());
                client.batch_execute("ROLLBACK").expect("rolled back");
            }
            1 | 2 if self.prepared.len() < 3 && !alone => {
                let name = format!("p{}", self.number());
                self.told.push(format!("PREPARE TRANSACTION '{name}'"));
                if client.batch_execute(&format!("PREPARE TRANSACTION '{name}'")).is_ok() {
                    self.prepared.push(name);
                }
            }
            3 | 4 if self.open.len() < 3 && !alone => {
                self.told.push(format!("-- stays open: {}", self.open.len()));
                self.open.push(client);
            }
            _ => {
                let done = client.batch_execute("COMMIT").is_ok();
                self.told.push(format!("COMMIT; -- {done}"));
            }
        }
    }

    fn end_open(&mut self) {
        if self.open.is_empty() {
            return self.transaction();
        }
        let place = self.random.below(self.open.len());
        let mut client = self.open.remove(place);
        let end = if self.random.percent(75) { "COMMIT" } else { "ROLLBACK" };
        let done = client.batch_execute(end).is_ok();
        self.told.push(format!("{end}; -- open {place}, {done}"));
    }

    fn end_prepared(&mut self) {
        if self.prepared.is_empty() {
            return self.transaction();
        }
        let place = self.random.below(self.prepared.len());
        let name = self.prepared.remove(place);
        let end = if self.random.percent(75) { "COMMIT" } else { "ROLLBACK" };
        self.do_now(&format!("{end} PREPARED '{name}'"));
    }

    fn chore(&mut self) {
        let name = self.table().name;
        let chores = [
            format!("VACUUM {name}"),
            format!("VACUUM (FREEZE) {name}"),
            "VACUUM (FREEZE)".to_owned(),
            format!("VACUUM FULL {name}"),
            format!("CLUSTER {name} USING {}_pkey", name.replace("h.", "")),
            format!("REINDEX TABLE {name}"),
            format!("ANALYZE {name}"),
            format!("ALTER TABLE {name} ALTER w TYPE text USING w || '+'"),
            format!("BEGIN; SELECT * FROM {name} FOR SHARE; COMMIT"),
            "CHECKPOINT".to_owned(),
        ];
        let chore = self.random.pick(&chores).expect("some").clone();
        self.do_now(&chore);
    }

    /// Rows that are frozen from the beginning.
    fn frozen(&mut self) {
        let table = self.table();
        let (name, n) = (table.name.clone(), self.number());
        let mut client = self.session();
        let columns = writable(&mut client, &table);
        let file = self.h.primary.data().join(format!("frozen{n}"));
        let file = file.display();
        self.do_now(&format!("COPY (SELECT {columns} FROM ONLY {name}) TO '{file}'"));
        self.do_now(&format!(
            "BEGIN; TRUNCATE {name}; COPY {name} ({columns}) FROM '{file}' WITH (FREEZE); UPDATE {name} SET v = 'f{n}' WHERE n % 3 = 0; COMMIT"
        ));
    }

    /// The structure of a table changes, or only seems to stay the same.
    fn structure(&mut self) {
        let (name, n) = (self.table().name, self.number());
        let changes = [
            format!("ALTER TABLE {name} ADD COLUMN x{n} int DEFAULT {n}"),
            format!(
                "BEGIN; ALTER TABLE {name} DROP COLUMN w; ALTER TABLE {name} ADD COLUMN w text DEFAULT 'w{n}'; ALTER TABLE {name} ALTER w DROP DEFAULT; COMMIT"
            ),
            format!("COMMENT ON TABLE {name} IS 'c{n}'"),
            format!("CREATE TABLE h.more{n} (id int)"),
        ];
        let change = self.random.pick(&changes).expect("some").clone();
        self.do_now(&change);
    }

    /// Does it by itself; it may be refused.
    fn do_now(&mut self, sql: &str) {
        let done = self.session().batch_execute(sql);
        self.told.push(format!("{sql}; -- {}", done.map_or_else(|e| e.to_string(), |()| "done".to_owned())));
    }
}

fn sorted(tables: &[Table]) -> Vec<&Table> {
    // As `State` has them: its keys begin with the name.
    let mut sorted: Vec<&Table> = tables.iter().collect();
    sorted.sort_by_key(|t| format!("{} ", t.name));
    sorted
}

/// The name of a table, a blank, and its columns but for those that are not downloaded.
fn columns(client: &mut Client, table: &Table) -> String {
    let columns = text(
        client,
        &format!(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'photo'",
            table.name
        ),
    );
    format!("{} {columns}", table.name)
}

fn writable(client: &mut Client, table: &Table) -> String {
    text(
        client,
        &format!(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
            table.name
        ),
    )
}

fn text(client: &mut Client, sql: &str) -> String {
    client.query_one(sql, &[]).expect("the catalog can be read").get(0)
}

/// Sorted.
fn rows(client: &mut Client, sql: &str) -> Vec<String> {
    let pins = "SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex'";
    client.batch_execute(pins).expect("settings can be pinned");
    let mut rows = text_rows(&client.simple_query(sql).unwrap_or_else(|e| panic!("{e:?}\n{sql}")));
    rows.sort();
    rows
}

#[test]
fn random_histories_of_random_schemas_arrive_row_for_row_whatever_deltas_bring_them() {
    let (trials, seed) = (setting("HIS_TRIALS", 12), setting("HIS_SEED", 20_261_125) as u64);
    let (began, mut counts) = (Instant::now(), Counts::default());
    for world in 0.. {
        if counts.snapshots >= trials {
            break;
        }
        let most = trials - counts.snapshots;
        println!("seed {}", seed + world);
        World::new(Random::new(seed + world)).run(&mut counts, most.max(4));
    }
    aloud(&format!("histories: {counts:?} in {:.0} s", began.elapsed().as_secs_f32()));
    assert!(counts.deltas * 2 > counts.snapshots, "{counts:?}: hardly a delta");
    assert!(counts.forward > 0 && counts.rebuilt > 0, "{counts:?}");
}

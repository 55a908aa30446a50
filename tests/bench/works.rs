//! The works that are compared, each with what is run beside it.

use std::path::Path;
use std::time::Instant;

use crate::figures::{Compared, Run, watched};
use crate::ground::{Ground, LIMIT};
use crate::support::Program;
use crate::support::server::bin;
use crate::support::workplace::DB;
use crate::windows;

pub struct Work {
    pub name: &'static str,
    pub against: &'static str,
    /// Of the ratio of the times.
    pub target: &'static str,
    pub compare: fn(&Ground, usize) -> Compared,
}

/// Those of one event, measured together.
pub const OF_AN_EVENT: [Work; 3] = [
    Work { name: "export", against: "COPY of the queue", target: "≤ 2", compare: none },
    Work { name: "merge", against: "COPY of its new rows", target: "≤ 2.5", compare: none },
    Work { name: "merge", against: "logical replication's apply", target: "≤ 1.0", compare: none },
];

pub const ALL: &[Work] = &[
    Work {
        name: "full snapshot, not compressed",
        against: "pg_dump -Fd -j2 -Z0",
        target: "≤ 1.0",
        compare: snapshot_plain,
    },
    Work {
        name: "full snapshot, zstd", against: "pg_dump -Fd -j2 (gzip)", target: "≤ 0.5", compare: snapshot_packed
    },
];

/// Those of a whole cycle, measured together.
pub const OF_A_CYCLE: [Work; 3] = [
    Work { name: "full load, verified", against: "pg_restore -j2", target: "≤ 1.0", compare: none },
    Work { name: "snapshot and load", against: "pgcopydb clone", target: "≤ 0.9", compare: none },
    Work { name: "delta cycle, 0.1 % changed", against: "our own full cycle", target: "≤ 0.05", compare: none },
];

/// Those of the windows, which do not grow with the tables: on a smaller ground, because each turn takes a whole load.
pub const OF_A_SWITCH: [Work; 2] = [
    Work { name: "switch, 200 windows: first commit, p99", against: "1 second", target: "≤ 1.0", compare: none },
    Work { name: "switch, 200 windows: first registration, p99", against: CUT_OFF, target: "", compare: none },
];

/// The same through a PgBouncer.
pub const OF_A_SWITCH_BY_PGBOUNCER: [Work; 2] = [
    Work { name: "by PgBouncer: first commit, p99", against: "1 second", target: "≤ 1.0", compare: none },
    Work { name: "by PgBouncer: first registration, p99", against: CUT_OFF, target: "", compare: none },
];

/// What is left when a switch takes no time: every window in a new session, whose first act the server has to prepare.
const CUT_OFF: &str = "the windows cut off from a server that stays";

/// The last on its ground: what the windows do without capture cannot be brought back.
pub const CAPTURE: Work =
    Work {
        name: "an act of a window, captured", against: "not captured", target: "≤ 1.11", compare: windows::capture
    };

fn none(_: &Ground, _: usize) -> Compared {
    Compared::default()
}

fn timed(program: Program) -> Run {
    let began = Instant::now();
    program.limit(LIMIT).run().expect(0);
    Run { seconds: began.elapsed().as_secs_f64(), memory_kib: 0 }
}

fn ours(ground: &Ground, name: &str, args: &[&str]) -> Run {
    watched(ground.work.program(name, args).args(["-q"]).limit(LIMIT), 0)
}

fn both(a: Run, b: Run) -> Run {
    Run { seconds: a.seconds + b.seconds, memory_kib: a.memory_kib.max(b.memory_kib) }
}

fn pg_dump(ground: &Ground, to: &Path, more: &[&str]) -> Run {
    let dump = Program::at(&bin("pg_dump")).args(["-Fd", "-j2", "-d", &ground.primary.url(DB), "-f"]).args([to]);
    timed(dump.args(more))
}

/// Turns of both, after one of ours that is not counted.
fn turns(ground: &Ground, runs: usize, mut ours: impl FnMut() -> Run, mut theirs: impl FnMut() -> Run) -> Compared {
    let mut compared = Compared::default();
    for turn in 0..=runs {
        ground.settle();
        let a = ours();
        ground.settle();
        let b = theirs();
        if turn > 0 {
            compared.ours.push(a);
            compared.theirs.push(b);
        }
    }
    compared
}

/// Only the newest snapshot is wanted.
fn sweep(ground: &Ground) {
    let dir = ground.work.store().join("snapshots");
    let mut all: Vec<_> = std::fs::read_dir(&dir).map(|d| d.flatten().map(|e| e.path()).collect()).unwrap_or_default();
    all.sort();
    all.pop();
    for old in all {
        std::fs::remove_dir_all(old).expect("removed");
    }
}

fn snapshot(ground: &Ground) -> Run {
    let run = ours(ground, "his-snapshot", &["--full"]);
    sweep(ground);
    run
}

fn snapshot_packed(ground: &Ground, runs: usize) -> Compared {
    let mut compared = turns(ground, runs, || snapshot(ground), || pg_dump(ground, &ground.fresh("gzip"), &[]));
    compared.notes.push(sizes(ground, "gzip"));
    compared
}

fn snapshot_plain(ground: &Ground, runs: usize) -> Compared {
    with_store(ground, "compress = \"none\"", || {
        let theirs = || pg_dump(ground, &ground.fresh("plain"), &["-Z0"]);
        let mut compared = turns(ground, runs, || snapshot(ground), theirs);
        compared.notes.push(sizes(ground, "plain"));
        compared
    })
}

/// With one more line in `[store]` of the profile.
fn with_store<T>(ground: &Ground, line: &str, work: impl FnOnce() -> T) -> T {
    let profile = ground.work.config();
    let text = std::fs::read_to_string(&profile).expect("a profile");
    std::fs::write(&profile, text.replace("[store]\n", &format!("[store]\n{line}\n"))).expect("written");
    let done = work();
    std::fs::write(&profile, text).expect("written");
    done
}

fn sizes(ground: &Ground, theirs: &str) -> String {
    let size = |dir: &Path| {
        let ran = Program::at("/usr/bin/du".as_ref()).args(["-sm"]).args([dir]).run().expect(0);
        ran.stdout.split_whitespace().next().unwrap_or("?").to_owned()
    };
    let (ours, theirs) = (size(&ground.work.store().join("snapshots")), size(&ground.place.path().join(theirs)));
    format!("{ours} MB on the disk, theirs {theirs} MB")
}

/// What a cron job around their program has to do so that there is always a whole copy, as ours does: a new database is filled,
/// then takes the name of the old one, which goes the next time.
fn refreshed(ground: &Ground, name: &str, fill: impl FnOnce(&str)) -> Run {
    let (new, old, began) = (format!("{name}_new"), format!("{name}_old"), Instant::now());
    let run = |sql: &str| ground.standby.execute("postgres", sql);
    run(&format!("DROP DATABASE IF EXISTS {old}"));
    run(&format!("CREATE DATABASE {new} TEMPLATE template0"));
    fill(&ground.standby.url(&new));
    if ground.standby.value("postgres", &format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")) == "1" {
        run(&format!("ALTER DATABASE {name} RENAME TO {old}"));
    }
    run(&format!("ALTER DATABASE {new} RENAME TO {name}"));
    Run { seconds: began.elapsed().as_secs_f64(), memory_kib: 0 }
}

fn load_newest(ground: &Ground) -> Run {
    ours(ground, "his-load-standby", &["--accept-shrink", "--accept-change"])
}

fn pg_restore(ground: &Ground, dump: &Path) -> Run {
    refreshed(ground, "restored", |url| {
        timed(Program::at(&bin("pg_restore")).args(["-j2", "-d", url]).args([dump]));
    })
}

fn pgcopydb(ground: &Ground) -> Run {
    let path = format!("{}:/usr/bin:/bin", bin("pg_dump").parent().expect("a folder").display());
    refreshed(ground, "cloned", |url| {
        let clone = Program::at("/usr/bin/pgcopydb".as_ref()).args(["clone", "--table-jobs", "2", "--index-jobs", "2"]);
        let clone = clone.args(["--source", &ground.primary.url(DB), "--target", url, "--dir"]);
        timed(clone.args([&ground.fresh("pgcopydb")]).env("PATH", &path));
    })
}

/// Of load beside pg_restore, of snapshot and load beside pgcopydb, of a delta beside snapshot and load: turns in which each is
/// done once, because a full cycle takes long. Deltas are on in all of them.
pub fn cycles(ground: &Ground, runs: usize) -> [Compared; 3] {
    with_store(ground, "full_every = \"1d\"", || {
        let mut all: [Compared; 3] = Default::default();
        let dump = ground.fresh("plain");
        pg_dump(ground, &dump, &["-Z0"]);
        for turn in 0..=runs {
            let settled = |work: &mut dyn FnMut() -> Run| {
                ground.settle();
                work()
            };
            let taken = settled(&mut || snapshot(ground));
            let loaded = settled(&mut || load_newest(ground));
            let full = both(taken, loaded);
            let restored = settled(&mut || pg_restore(ground, &dump));
            let cloned = settled(&mut || pgcopydb(ground));
            Program::psql(&ground.primary.url(DB)).stdin(&change(ground, turn)).limit(LIMIT).run().expect(0);
            let (delta, note) = delta(ground);
            if turn > 0 {
                for (compared, (ours, theirs)) in
                    all.iter_mut().zip([(loaded, restored), (full, cloned), (delta, full)])
                {
                    compared.ours.push(ours);
                    compared.theirs.push(theirs);
                }
                all[2].notes = vec![note];
            }
        }
        all
    })
}

fn delta(ground: &Ground) -> (Run, String) {
    ground.settle();
    let began = Instant::now();
    let taken = ground.work.program("his-snapshot", &["--json"]).limit(LIMIT).run().expect(0).json();
    assert_eq!(taken["kind"], "delta", "{taken}");
    let seconds = began.elapsed().as_secs_f64();
    let loaded = load_newest(ground);
    let note = format!("snapshot {seconds:.2} s, load {:.2} s, {} rows", loaded.seconds, taken["rows"]);
    (both(Run { seconds, memory_kib: 0 }, loaded), note)
}

/// One row in a thousand is changed in every table that windows write and in patients; where nothing points at the rows, one in
/// four of these goes instead.
fn change(ground: &Ground, turn: usize) -> String {
    let tables = "SELECT format('%I.%I', n.nspname, c.relname), quote_ident(k.attname),
            (SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             AND a.attidentity = '' AND a.attgenerated = '' AND a.attnum <> ALL (i.indkey) ORDER BY a.attnum DESC LIMIT 1),
            EXISTS (SELECT FROM pg_constraint f WHERE f.confrelid = c.oid AND f.contype = 'f')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = i.indkey[0]
        WHERE n.nspname = 'outpatient' AND c.relkind = 'r' AND c.reltuples > 1000 ORDER BY c.reltuples DESC";
    let mut script = "SET session_replication_role = replica;\n".to_owned();
    for line in ground.primary.rows(DB, tables) {
        let parts: Vec<&str> = line.split('|').collect();
        let [table, key, column, referenced] = parts[..] else { panic!("{line}") };
        let chosen = format!("abs(hashtext({key}::text || '{turn}')) % 1000 < 1");
        let quarter = format!("abs(hashtext({key}::text)) % 4 = 0");
        if referenced == "t" {
            script += &format!("UPDATE {table} SET {column} = {column} WHERE {chosen};\n");
        } else {
            script += &format!("UPDATE {table} SET {column} = {column} WHERE {chosen} AND NOT {quarter};\n");
            script += &format!("DELETE FROM {table} WHERE {chosen} AND {quarter};\n");
        }
    }
    script
}

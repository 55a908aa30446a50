//! A day at the windows of the standby on its way back: export and merge beside COPY and logical replication.

use std::fs;
use std::time::{Duration, Instant};

use crate::day;
use crate::figures::{Compared, Run, watched};
use crate::ground::LIMIT;
use crate::opened::Opened;
use crate::support::workplace::DB;
use crate::support::{Cluster, Kind, Program};

const SETTINGS: [(&str, &str); 5] = [
    ("fsync", "on"),
    ("shared_buffers", "1GB"),
    ("max_wal_size", "8GB"),
    ("max_locks_per_transaction", "256"),
    ("wal_level", "logical"),
];

/// Of export beside COPY of the same bytes, of merge beside COPY of the same rows, and of merge beside logical replication.
pub fn compare(units: usize, runs: usize) -> [Compared; 3] {
    let mut all: [Compared; 3] = Default::default();
    for _ in 0..runs {
        for (all, (ours, theirs, note)) in all.iter_mut().zip(once(units)) {
            all.ours.push(ours);
            all.theirs.push(Run { seconds: theirs, memory_kib: 0 });
            all.notes = vec![note];
        }
    }
    all
}

fn once(units: usize) -> [(Run, f64, String); 3] {
    let (primary, standby) =
        (Cluster::start_with(Kind::Primary, &SETTINGS), Cluster::start_with(Kind::Standby, &SETTINGS));
    for name in [DB, "plain", "logical"] {
        day::fill(&primary, name);
    }
    day::fill(&standby, DB);
    let o = Opened::over(primary, standby, &day::tables());
    day::prepare(&o);
    publish(&o);
    day::day(&o, units);
    let changes = o.standby.value(
        DB,
        "SELECT sum((xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM his_emergency.change_%s', table_no), false, true, '')))[1]::text::bigint) FROM his_emergency.captured",
    );
    settle(&o);
    let exported = watched(o.work.program("his-export-queue", &["-q"]).limit(LIMIT), 0);
    settle(&o);
    let (copied_out, bytes) = copy_out(&o);
    settle(&o);
    let dir = o.work.store().join("plain");
    fs::create_dir_all(&dir).expect("made");
    let (copied, rows) = day::plain_copy(&o, &dir);
    settle(&o);
    let merged = watched(o.work.program("his-merge", &["--early", "-q"]).limit(LIMIT), 3);
    settle(&o);
    let applied = subscribe(&o);
    let held = o.primary.value(DB, "SELECT count(*) FROM his_emergency.unit WHERE status = 'held'");
    [
        (exported, copied_out, format!("{changes} changes in {units} units, {} MB by COPY", bytes / 1_000_000)),
        (merged, copied.as_secs_f64(), format!("{units} units, {rows} new rows beside updates; {held} units held")),
        (
            merged,
            applied,
            "the subscriber's tables, keys and triggers are those of the primary; it finds no conflicts".to_owned(),
        ),
    ]
}

fn settle(o: &Opened) {
    for side in [&o.primary, &o.standby] {
        Program::psql(&side.url("postgres")).stdin("CHECKPOINT").limit(LIMIT).run().expect(0);
    }
}

/// The queue's tables into files, one after the other; gives the time and the bytes.
fn copy_out(o: &Opened) -> (f64, u64) {
    let dir = o.work.store().join("queue-by-copy");
    fs::create_dir_all(&dir).expect("made");
    let mut script = String::new();
    for no in o.standby.rows(DB, "SELECT table_no FROM his_emergency.captured ORDER BY 1") {
        script += &format!("\\copy his_emergency.change_{no} TO '{}' CSV\n", dir.join(format!("{no}.csv")).display());
    }
    let began = Instant::now();
    Program::psql(&o.standby.url(DB)).stdin(&script).limit(LIMIT).run().expect(0);
    let _ = std::process::Command::new("sync").arg(&dir).status();
    let seconds = began.elapsed().as_secs_f64();
    let bytes = fs::read_dir(&dir).expect("it is there").flatten().map(|e| e.metadata().map_or(0, |m| m.len())).sum();
    (seconds, bytes)
}

/// The way back that PostgreSQL itself has: a slot that keeps what the windows do from here on.
fn publish(o: &Opened) {
    o.standby.execute(DB, "ALTER EVENT TRIGGER his_emergency_ddl DISABLE");
    o.standby.execute(DB, "CREATE PUBLICATION back FOR TABLES IN SCHEMA outpatient");
    o.standby.execute(DB, "ALTER EVENT TRIGGER his_emergency_ddl ENABLE ALWAYS");
    o.standby.execute(DB, "SELECT pg_create_logical_replication_slot('back', 'pgoutput')");
}

/// Seconds until a database without the day has all of it by logical replication.
fn subscribe(o: &Opened) -> f64 {
    // As it is on the primary: without it, an update of these rows would not find what it is about.
    let end = o.standby.value("postgres", "SELECT pg_current_wal_lsn()");
    let connection = o.standby.libpq(DB).replace('\'', "''");
    let began = Instant::now();
    o.primary.execute(
        "logical",
        &format!(
            "CREATE SUBSCRIPTION back CONNECTION '{connection}' PUBLICATION back WITH (create_slot = false, copy_data = false, slot_name = 'back')"
        ),
    );
    let there = format!(
        "SELECT coalesce(bool_and(confirmed_flush_lsn >= '{end}'), false) FROM pg_replication_slots WHERE slot_name = 'back'"
    );
    while o.standby.value("postgres", &there) != "t" {
        assert!(began.elapsed() < LIMIT, "logical replication does not come to its end: {}", o.primary.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let seconds = began.elapsed().as_secs_f64();
    let lines = |db: &str| o.primary.value(db, "SELECT count(*) FROM outpatient.charge_line").parse().unwrap_or(0_u64);
    // It must have done the work that it is measured by.
    assert!(
        lines("logical") >= lines(DB),
        "{} lines by logical replication, {} by his-merge",
        lines("logical"),
        lines(DB)
    );
    seconds
}

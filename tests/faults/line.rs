//! A line that ends in the middle of whatever is on it.

use super::{CHARGES, SCHEMA, TABLES, busy, charges, opened};
use crate::support::workplace::DB;
use crate::support::{Cluster, Mode, Proxy, Workplace};

/// Bytes after which the line ends: in the greeting, in catalogs, in COPY.
const BYTES: [usize; 12] = [1, 50, 400, 1000, 3000, 9000, 20_000, 40_000, 80_000, 150_000, 400_000, 1_000_000];

/// Runs a command with the line cut off after each number of bytes, then undisturbed; gives how many were cut off.
fn cut_off(work: &Workplace, line: &Proxy, program: &str, args: &[&str]) -> usize {
    let mut cut = 0;
    for bytes in BYTES {
        line.set(Mode::Truncate(bytes));
        let ran = work.run(program, args);
        assert!(matches!(ran.code, 0 | 6), "after {bytes} bytes: {}", ran.shown());
        cut += usize::from(ran.code == 6);
    }
    line.set(Mode::Pass);
    work.run(program, args).expect(0);
    cut
}

#[test]
fn p3_a_download_or_load_whose_line_ends_anywhere_leaves_nothing_that_looks_whole() {
    let (primary, standby) = Cluster::pair();
    primary.create_database(DB);
    primary.execute(DB, SCHEMA);
    primary
        .execute(DB, "INSERT INTO h.charge (patient_id, total) SELECT 1 + i % 100, 2 FROM generate_series(1, 20000) i");
    let lines = [Proxy::unix(&primary), Proxy::unix(&standby)];
    let mut work = Workplace::new(&primary, &standby, TABLES);
    work.set("primary", "url", &format!("\"{}\"", lines[0].url(DB)));
    work.set("standby", "url", &format!("\"{}\"", lines[1].url(DB)));
    let snapshots = || work.json(0, "his-snapshot", &["list"])["snapshots"].as_array().expect("a list").len();
    for bytes in BYTES {
        lines[0].set(Mode::Truncate(bytes));
        let before = snapshots();
        let ran = work.run("his-snapshot", &[]);
        assert!(matches!(ran.code, 0 | 6), "after {bytes} bytes: {}", ran.shown());
        assert_eq!(snapshots() - before, usize::from(ran.code == 0), "after {bytes} bytes");
    }
    lines[0].set(Mode::Pass);
    work.run("his-snapshot", &[]).expect(0);
    work.run("his-snapshot", &["verify", "--all"]).expect(0);
    let cut = cut_off(&work, &lines[1], "his-load-standby", &[]);
    assert!(cut > 5, "only {cut} loads were cut off");
    let generations = standby.rows("postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'his%'");
    assert_eq!(generations.len(), 1, "{generations:?}");
    assert_eq!(standby.value(&generations[0], "SELECT count(*), sum(total) FROM h.charge"), "20000|40000.00");
}

#[test]
fn p7_an_export_or_merge_whose_line_ends_anywhere_is_finished_by_the_same_command() {
    let mut o = opened();
    busy(&o, 3000);
    let lines = [Proxy::unix(&o.primary), Proxy::unix(&o.standby)];
    o.work.set("primary", "url", &format!("\"{}\"", lines[0].url(DB)));
    o.work.set("standby", "url", &format!("\"{}\"", lines[1].url(DB)));
    let cut = cut_off(&o.work, &lines[1], "his-export-queue", &[]);
    assert!(cut > 3, "only {cut} exports were cut off");
    let cut = cut_off(&o.work, &lines[0], "his-merge", &["--early"]);
    assert!(cut > 5, "only {cut} merges were cut off");
    assert_eq!(o.primary.value(DB, CHARGES), charges(3000));
    assert_eq!(o.work.json(0, "his-merge", &["status"])["balanced"], true);
}

#[test]
fn a_line_that_stalls_for_longer_than_the_programs_wait_ends_them_and_harms_nothing() {
    let mut o = opened();
    busy(&o, 3000);
    o.work.run("his-export-queue", &[]).expect(0);
    let line = Proxy::unix(&o.primary);
    o.work.set("primary", "url", &format!("\"{}\"", line.url(DB)));
    let merging = o.work.start("his-merge", &["--early"]);
    std::thread::sleep(std::time::Duration::from_millis(400));
    line.set(Mode::Swallow);
    std::thread::sleep(std::time::Duration::from_secs(3));
    line.set(Mode::Pass);
    let ran = merging.wait();
    assert!(matches!(ran.code, 0 | 6), "{}", ran.shown());
    line.set(Mode::Delay(std::time::Duration::from_millis(20)));
    o.work.run("his-merge", &["--early"]).expect(0);
    assert_eq!(o.primary.value(DB, CHARGES), charges(3000));
}

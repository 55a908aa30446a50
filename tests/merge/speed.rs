//! The merge of a day of the reference HIS, beside a plain COPY of the same rows into the same tables.
//!
//! `HIS_UNITS` says how many units (default 1,500, so that the test costs little; `make bench` takes 100,000). One in a
//! hundred conflicts. What is held is compared; the ratio is printed, never asserted.

use super::day;
use crate::opened::Opened;
use crate::support::workplace::DB;
use crate::support::{Cluster, aloud};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn a_day_of_the_reference_his_merges_with_exactly_the_conflicting_units_held() {
    let units: usize = std::env::var("HIS_UNITS").ok().and_then(|n| n.parse().ok()).unwrap_or(1500);
    let settings = [
        ("shared_buffers", "512MB"),
        ("max_wal_size", "8GB"),
        ("max_locks_per_transaction", "256"),
        ("log_min_duration_statement", "100"),
    ];
    let primary = Cluster::start_with(crate::support::Kind::Primary, &settings);
    let standby = Cluster::start_with(crate::support::Kind::Standby, &settings);
    day::fill(&primary, DB);
    day::fill(&primary, "plain");
    day::fill(&standby, DB);
    let o = Opened::over(primary, standby, &day::tables());
    day::prepare(&o);
    let odd = day::day(&o, units);
    o.work.run("his-export-queue", &[]).expect(0);
    let dir = o.work.store().join("plain");
    std::fs::create_dir_all(&dir).expect("made");
    let (copied, rows) = day::plain_copy(&o, &dir);
    let began = Instant::now();
    let mut run = crate::support::Program::ours("his-merge")
        .args(["--config", &o.work.config().to_string_lossy(), "--early", "--json"])
        .limit(Duration::from_secs(3000))
        .start();
    let mut memory = 0;
    while run.running() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", run.pid())).unwrap_or_default();
        let peak = status
            .lines()
            .find_map(|l| l.strip_prefix("VmHWM:"))
            .and_then(|l| l.trim().split(' ').next()?.parse().ok());
        memory = memory.max(peak.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = run.wait().expect(3);
    let merged = began.elapsed();
    let json = ran.json();
    assert_eq!((&json["balanced"], &json["units"]["held"]), (&json!(true), &json!(odd.len())), "{json:#}");
    let held = o.primary.rows(DB, "SELECT xid FROM his_emergency.unit WHERE status = 'held'").into_iter().collect();
    assert_eq!(odd, held);
    aloud(&format!(
        "{} units, {rows} new rows, {} held: merged in {:.1} s, plain COPY {:.1} s, ratio {:.2}; his-merge's peak memory {} MB",
        json["units"]["captured"],
        odd.len(),
        merged.as_secs_f64(),
        copied.as_secs_f64(),
        merged.as_secs_f64() / copied.as_secs_f64(),
        memory / 1024
    ));
}

//! Our programs beside those that an engineer would use in their place, on the same servers in the same run. Only the ratio of
//! the two counts: machines are shared and noisy, so both take turns, and medians are compared.
//!
//! `HIS_PATIENTS` says how large the reference HIS is (200,000 patients have about half a million rows), `HIS_RUNS` how often
//! each is run, `HIS_WORKS` which works (a part of their names), `HIS_UNITS` how many acts an event has and `HIS_EVENTS` how
//! many events are brought back. Prints a table; writes `bench.json` and `bench.svg` into
//! `HIS_BENCH_OUT`.

#[path = "../support/mod.rs"]
mod support;

#[path = "../merge/day.rs"]
mod day;
#[path = "../opened.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod opened;

mod event;
mod figures;
mod ground;
mod windows;
mod works;

use figures::Report;
use ground::Ground;

/// Patients of the HIS on which windows are measured.
const MOST_FOR_WINDOWS: usize = 200_000;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|e| panic!("{name} is '{text}': {e}")))
}

fn main() {
    let wanted = std::env::var("HIS_WORKS").unwrap_or_default();
    let runs = setting("HIS_RUNS", 5);
    let wanted = |work: &&works::Work| work.name.contains(&wanted);
    let mut report = Report::new(runs);
    let patients = setting("HIS_PATIENTS", 200_000);
    for (works, patients) in [(works::ALL, patients), (works::OF_WINDOWS, patients.min(MOST_FOR_WINDOWS))] {
        let works: Vec<_> = works.iter().filter(wanted).collect();
        if works.is_empty() {
            continue;
        }
        let ground = Ground::new(patients);
        report.on(&ground);
        for work in works {
            eprintln!("{}, against {}", work.name, work.against);
            let compared = (work.compare)(&ground, runs);
            eprintln!("  {}", compared.line());
            report.add(work, compared);
        }
    }
    if works::OF_AN_EVENT.iter().any(|w| wanted(&w)) {
        let compared = event::compare(setting("HIS_UNITS", 20_000), setting("HIS_EVENTS", 1));
        for (work, compared) in works::OF_AN_EVENT.iter().zip(compared) {
            eprintln!("{}, against {}\n  {}", work.name, work.against, compared.line());
            report.add(work, compared);
        }
    }
    println!("{}", report.table());
    if let Some(out) = std::env::var_os("HIS_BENCH_OUT") {
        report.write(out.as_ref());
    }
}

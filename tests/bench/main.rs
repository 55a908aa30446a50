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

use figures::{Compared, Report};
use ground::Ground;
use works::Work;

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
    let cycle = works::OF_A_CYCLE.iter().any(|w| wanted(&w));
    if cycle || works::ALL.iter().any(|w| wanted(&w)) {
        let ground = Ground::new(patients);
        report.on(&ground);
        each(&mut report, &ground, works::ALL.iter().filter(wanted), runs);
        if cycle {
            together(&mut report, &works::OF_A_CYCLE, works::cycles(&ground, runs));
        }
    }
    let switch = works::OF_A_SWITCH.iter().any(|w| wanted(&w));
    let pgbouncer = works::OF_A_SWITCH_BY_PGBOUNCER.iter().any(|w| wanted(&w));
    if switch || pgbouncer || wanted(&&works::CAPTURE) {
        let ground = Ground::new(patients.min(MOST_FOR_WINDOWS));
        report.on(&ground);
        if switch {
            together(&mut report, &works::OF_A_SWITCH, windows::switch(&ground, runs));
        }
        if pgbouncer {
            together(&mut report, &works::OF_A_SWITCH_BY_PGBOUNCER, windows::switch_by_pgbouncer(&ground, runs));
        }
        each(&mut report, &ground, [&works::CAPTURE].into_iter().filter(wanted), runs);
    }
    if works::OF_AN_EVENT.iter().any(|w| wanted(&w)) {
        let compared = event::compare(setting("HIS_UNITS", 20_000), setting("HIS_EVENTS", 1));
        together(&mut report, &works::OF_AN_EVENT, compared);
    }
    println!("{}", report.table());
    if let Some(out) = std::env::var_os("HIS_BENCH_OUT") {
        report.write(out.as_ref());
    }
}

fn each(report: &mut Report, ground: &Ground, works: impl Iterator<Item = &'static Work>, runs: usize) {
    for work in works {
        told(report, work, (work.compare)(ground, runs));
    }
}

fn together<const N: usize>(report: &mut Report, works: &'static [Work; N], compared: [Compared; N]) {
    works.iter().zip(compared).for_each(|(work, compared)| told(report, work, compared));
}

fn told(report: &mut Report, work: &'static Work, compared: Compared) {
    eprintln!("{}, against {}\n  {}", work.name, work.against, compared.line());
    report.add(work, compared);
}

//! Random histories on both sides, merged by the programs and compared with a small brute-force oracle.
//!
//! `HIS_CASES` says how many cases, `HIS_SEED` which, `HIS_WITHOUT` what to leave out (see `schema.rs`).

mod brute;
mod history;
mod judge;
mod meet;
mod open;
mod report;
mod schema;
mod server;
mod world;

use crate::support::aloud;
use crate::support::random::Random;
use history::{BATCHES, Case, Played};
use report::Report;
use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;
use world::{Arena, Plan, World};

fn setting(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|e| panic!("{name} is '{text}': {e}")))
}

/// Says what is done, when `HIS_TRACE` is set.
fn trace(text: &str) {
    if env::var_os("HIS_TRACE").is_some() {
        eprintln!("{text}");
    }
}

#[test]
fn random_histories_on_both_sides_merge_as_the_oracle_says() {
    let (cases, seed) = (setting("HIS_CASES", 2000), setting("HIS_SEED", 20_261_122) as u64);
    // Cases in one world.
    let width = setting("HIS_WORLD", 500);
    let go_on = setting("HIS_GO_ON", 0) > 0;
    let began = Instant::now();
    let (next, conflicts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let report = Mutex::new(Report::default());
    let worker = || {
        let arena = Arena::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let failed = report.lock().expect("no worker panics").failed();
            if number * width >= cases || (failed && !go_on) {
                return;
            }
            let seed = seed + number as u64;
            let mut random = Random::new(seed);
            let count = width.min(cases - number * width);
            let mut cases: Vec<Case> = (0..count).map(|_| history::case(&mut random.fork())).collect();
            match run(&arena, &mut cases, &plans(&mut random), seed) {
                Ok(found) => drop(conflicts.fetch_add(found, Ordering::Relaxed)),
                Err(failed) => report.lock().expect("no worker panics").add(&arena, &cases, &failed, seed),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..setting("HIS_WORKERS", 1) {
            scope.spawn(worker);
        }
    });
    let (conflicts, seconds) = (conflicts.into_inner(), began.elapsed().as_secs_f32());
    aloud(&format!("oracle: {cases} cases ({conflicts} with a conflict) in {seconds:.1} s"));
    let report = report.into_inner().expect("no worker panics");
    assert!(!report.failed(), "{report}");
}

/// All at once, and some other way.
fn plans(random: &mut Random) -> Vec<Plan> {
    let late = random.percent(30);
    let all = Plan { runs: vec![BATCHES], kills: 0, late };
    let other = match random.below(3) {
        0 => Plan { runs: vec![BATCHES], kills: 1 + random.below(5), late },
        1 => Plan { runs: vec![1; BATCHES], kills: random.below(2), late },
        _ => Plan { runs: vec![1 + random.below(BATCHES - 1), 0], kills: random.below(3), late: random.percent(30) },
    };
    vec![all, other]
}

/// What went wrong with a world.
pub struct Failed {
    pub plan: Plan,
    /// Of one case, or of all of them together.
    pub place: Option<usize>,
    pub what: String,
}

/// Runs a world; gives the number of cases with a conflict.
fn run(arena: &Arena, cases: &mut [Case], plans: &[Plan], seed: u64) -> Result<usize, Vec<Failed>> {
    let played: Vec<Played> = cases.iter_mut().map(Case::play).collect();
    let failed = |plan: &Plan, place, what| Failed { plan: plan.clone(), place, what };
    let mut random = Random::new(seed ^ 0x5EED);
    let world = World::new(arena, cases, &played, &mut random).map_err(|e| vec![failed(&plans[0], None, e)])?;
    let (mut conflicts, mut all_wrong) = (0, Vec::<Failed>::new());
    for (number, plan) in plans.iter().enumerate() {
        if number > 0 {
            world.rewind();
        }
        let found = match world.merge(plan, &mut random) {
            Ok(found) => found,
            Err(e) => {
                all_wrong.push(failed(plan, None, e));
                continue;
            }
        };
        let expected: Vec<_> =
            cases.iter().zip(&played).map(|(case, played)| judge::expected(case, played, plan)).collect();
        conflicts = expected.iter().filter(|m| !m.held.is_empty()).count();
        let mut wrong = Vec::new();
        for (place, (played, expected)) in (1..).zip(played.iter().zip(&expected)) {
            let differences = judge::differences(place, played, expected, plan, &world, &found);
            if !differences.is_empty() {
                wrong.push(failed(plan, Some(place), differences.join("\n")));
            }
        }
        if wrong.is_empty() {
            let all: Vec<_> = played.iter().zip(&expected).collect();
            let differences = judge::account_differences(&all, &found.account);
            if !differences.is_empty() {
                wrong.push(failed(plan, None, differences.join("\n")));
            }
        }
        trace(&format!("seed {seed}: {} units, {conflicts} cases with a conflict, {plan:?}", found.account["units"]));
        all_wrong.extend(wrong);
    }
    if all_wrong.is_empty() { Ok(conflicts) } else { Err(all_wrong) }
}

//! Makes a failure small and readable.

use super::history::{Case, Transaction};
use super::schema::SCHEMA;
use super::server::shown_row;
use super::world::{Arena, Plan};
use super::{Failed, run, setting, trace};
use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter, Write};

/// Failures, one of each sort, made small.
#[derive(Debug, Default)]
pub struct Report {
    sorts: Vec<String>,
    text: String,
}

impl Report {
    pub fn failed(&self) -> bool {
        !self.text.is_empty()
    }

    /// Takes up what is wrong with a world.
    pub fn add(&mut self, arena: &Arena, cases: &[Case], failed: &[Failed], seed: u64) {
        let places: BTreeSet<usize> = failed.iter().filter_map(|f| f.place).collect();
        self.text += &format!("HIS_SEED={seed} HIS_CASES={}: {} cases fail\n", cases.len(), places.len());
        for one in failed {
            trace(&format!("seed {seed} {:?} {:?} {}", one.place, one.plan, one.what.replace('\n', " | ")));
            let sort = sort_of(&one.what);
            if self.sorts.contains(&sort) || self.sorts.len() >= setting("HIS_SHOW", 3) {
                continue;
            }
            self.sorts.push(sort);
            let case = match one.place {
                Some(place) => Some(cases[place - 1].clone()),
                None => alone(arena, cases.to_vec(), &one.plan, seed),
            };
            let text = match case.map(|case| shrink(arena, case, &one.plan, seed)) {
                Some((small, Some(what))) => format!("{:?}\n{}{what}\n\n", one.plan, shown(&small)),
                Some((case, None)) => {
                    let what = &one.what;
                    format!("{:?}\n{}{what}\n(the case does not fail by itself)\n\n", one.plan, shown(&case))
                }
                None => format!("{:?}\nthe world as a whole: {}\n\n", one.plan, one.what),
            };
            trace(&text);
            self.text += &text;
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What the failures of one cause have in common: no numbers, and not what follows from the units held.
fn sort_of(what: &str) -> String {
    let lines = what.lines().filter(|l| l.starts_with("unit") || !what.contains("unit "));
    let kinds: BTreeSet<String> = lines.map(|l| l.chars().filter(|c| !c.is_ascii_digit()).collect()).collect();
    kinds.into_iter().collect::<Vec<_>>().join("; ")
}

/// Some case that fails without the others, for a world that fails as a whole.
fn alone(arena: &Arena, mut cases: Vec<Case>, plan: &Plan, seed: u64) -> Option<Case> {
    let fails = |cases: &[Case]| match run(arena, &mut cases.to_vec(), std::slice::from_ref(plan), seed) {
        Err(failed) => failed.iter().any(|f| f.place.is_none()),
        Ok(_) => false,
    };
    while cases.len() > 1 {
        let other = cases.split_off(cases.len() / 2);
        if !fails(&cases) {
            if !fails(&other) {
                return None;
            }
            cases = other;
        }
    }
    cases.pop()
}

/// Leaves out one thing after the other as long as the case still fails. All ways to leave out one thing are tried in
/// one world.
fn shrink(arena: &Arena, mut case: Case, plan: &Plan, seed: u64) -> (Case, Option<String>) {
    let plan = Plan { kills: plan.kills.min(1), ..plan.clone() };
    let mut what = match run(arena, &mut [case.clone()], std::slice::from_ref(&plan), seed) {
        Err(failed) => failed.into_iter().next().map(|f| f.what).unwrap_or_default(),
        Ok(_) => return (case, None),
    };
    loop {
        let mut smaller = smaller(&case);
        let Err(failed) = run(arena, &mut smaller, std::slice::from_ref(&plan), seed) else {
            return (case, Some(what));
        };
        let Some(first) = failed.into_iter().find(|f| f.place.is_some()) else {
            // The world fails as a whole: one after the other.
            let fails = smaller.into_iter().find_map(|mut s| {
                let failed = run(arena, std::slice::from_mut(&mut s), std::slice::from_ref(&plan), seed).err()?;
                Some((s, failed.into_iter().next()?.what))
            });
            match fails {
                Some((s, w)) => (case, what) = (s, w),
                None => return (case, Some(what)),
            }
            continue;
        };
        case = smaller.swap_remove(first.place.unwrap_or(1) - 1);
        what = first.what;
    }
}

/// The case without one transaction, statement or row.
fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let mut without = |change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        smaller.play();
        all.push(smaller);
    };
    for n in 0..case.window.len() {
        without(&|c| drop(c.window.remove(n)));
    }
    for n in 0..case.meanwhile.len() {
        without(&|c| drop(c.meanwhile.remove(n)));
    }
    for n in 0..case.window.len() {
        for s in 0..case.window[n].statements.len() {
            without(&|c| drop(c.window[n].statements.remove(s)));
        }
    }
    for n in 0..case.meanwhile.len() {
        for s in 0..case.meanwhile[n].statements.len() {
            without(&|c| drop(c.meanwhile[n].statements.remove(s)));
        }
    }
    for (table, rows) in case.start.0.iter().enumerate() {
        for key in rows.keys() {
            let mut smaller = case.clone();
            smaller.start.remove(table, key);
            if super::server::Running::new(super::server::Side::Primary, smaller.start.clone()).is_whole() {
                smaller.play();
                all.push(smaller);
            }
        }
    }
    all.retain(|c| !c.window.is_empty());
    all
}

/// A case for reading.
fn shown(case: &Case) -> String {
    let place = 1;
    let mut text = "on both sides:\n".to_owned();
    for (table, rows) in case.start.0.iter().enumerate() {
        for row in rows.values() {
            let columns: Vec<&str> = SCHEMA.tables[table].columns.iter().map(|c| c.name).collect();
            let _ = writeln!(
                text,
                "  {} ({}): {}",
                SCHEMA.tables[table].name,
                columns.join(", "),
                shown_row(table, row, place)
            );
        }
    }
    let sql = |t: &Transaction| {
        let statements: Vec<String> = t.statements.iter().map(|s| s.sql(place)).collect();
        format!("{}{}", statements.join(";\n        "), if t.rolled_back { "; ROLLBACK" } else { "" })
    };
    let _ = writeln!(text, "primary:");
    for transaction in &case.meanwhile {
        let _ = writeln!(text, "        {}", sql(transaction));
    }
    let _ = writeln!(text, "standby:");
    let units = case.clone().play();
    for (number, transaction) in case.window.iter().enumerate() {
        let unit = units.transaction.iter().position(|t| *t == number);
        let name = unit.map_or("  -".to_owned(), |u| format!("{:3}", u + 1));
        let _ = writeln!(text, "  {name} (batch {}) {}", transaction.batch + 1, sql(transaction));
    }
    text
}

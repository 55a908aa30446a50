//! The order of a load's work: rows in, read back, and indexes, so that no core waits while anything can be done.
//!
//! Each table is filled as soon as a worker is free, the biggest first; what follows on it goes on beside the filling of the
//! others. Foreign keys come after all of it, because they need the keys and statistics of two tables; statistics, when every index and everything that they are kept of is
//! there.

use super::schema::Statement;
use super::work::{self, Task};
use super::{build, ddl, fill, settle};
use crate::catalog::Name;
use crate::cli::Site;
use crate::db::{Client, Server};
use crate::error::Result;
use crate::formats::snapshot::Table;
use crate::snapshot::Snapshot;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Mutex;

#[derive(Debug)]
enum Step<'a> {
    Fill(&'a Table),
    Verify(&'a Table),
    /// Raises the numbers that the HIS keeps in it, while there is neither index nor trigger to be bothered.
    Raise(&'a Name),
    Build(&'a Statement),
}

/// Does all of it; returns the indexes for which it is too early.
pub fn run<'a>(
    site: &Site,
    standby: &Server,
    database: &str,
    snapshot: &'a Snapshot,
    indexes: &'a [Statement],
) -> Result<Vec<&'a Statement>> {
    let manifest = &snapshot.manifest;
    let raised = |name: &Name| site.profile.number_columns(name).next().is_some();
    let tasks = plan(&manifest.tables, indexes, raised);
    let bar = site.talk.bar(manifest.bytes, "load and verify");
    let path = build::own_path(&manifest.primary);
    let early = Mutex::new(Vec::new());
    let step = |client: &mut Client, step: &Step<'a>| match step {
        Step::Fill(table) => fill::fill(client, snapshot, table, &bar),
        Step::Verify(table) => fill::verify(client, table),
        Step::Raise(name) => settle::table_numbers(client, site, Some(name)),
        Step::Build(statement) => {
            if !statement.run(client)?
                && let Ok(mut early) = early.lock()
            {
                early.push(*statement);
            }
            Ok(())
        }
    };
    let done = work::in_order(standby, (database, &path), &tasks, work::workers(), step);
    bar.finish_and_clear();
    done?;
    Ok(early.into_inner().unwrap_or_default())
}

/// The steps in the order in which they are wanted. Whatever may look at rows of other tables waits until these are as they will
/// stay: numbers are raised when all has been read back, because a table may have others beneath it, and an index that calls
/// functions is built after that. Then table by table, the biggest first.
fn plan<'a>(tables: &'a [Table], indexes: &'a [Statement], raised: impl Fn(&Name) -> bool) -> Vec<Task<Step<'a>>> {
    let mut sorted: Vec<&Table> = tables.iter().collect();
    sorted.sort_by_key(|t| Reverse(t.bytes));
    let place: BTreeMap<&Name, usize> = sorted.iter().enumerate().map(|(n, t)| (&t.table, n)).collect();
    let (mut own, mut late): (Vec<Vec<&Statement>>, Vec<_>) = (vec![Vec::new(); sorted.len()], Vec::new());
    for index in indexes {
        let table = ddl::table_of(&index.text);
        let at = table.as_ref().and_then(|(name, _)| place.get(name).copied());
        match (at, table) {
            (Some(n), Some((_, rest))) if !ddl::calls_functions(rest) => own[n].push(index),
            _ => late.push((index, at)),
        }
    }
    let mut plan = Plan::default();
    let fills: Vec<usize> = (0..sorted.len()).map(|n| plan.add(Step::Fill(sorted[n]), Some(n), true, vec![])).collect();
    let verified: Vec<usize> =
        (0..sorted.len()).map(|n| plan.add(Step::Verify(sorted[n]), Some(n), false, vec![fills[n]])).collect();
    let mut moves: Vec<Option<usize>> = Vec::with_capacity(sorted.len());
    for (n, table) in sorted.iter().enumerate() {
        let is_raised = raised(&table.table);
        moves.push(is_raised.then(|| plan.add(Step::Raise(&table.table), Some(n), true, verified.clone())));
    }
    let all_there: Vec<usize> = fills.iter().copied().chain(moves.iter().copied().flatten()).collect();
    for (index, at) in late {
        plan.add(Step::Build(index), at, index.is_exclusive(), all_there.clone());
    }
    for n in 0..sorted.len() {
        let ready = moves[n].unwrap_or(fills[n]);
        // What cannot share the table with anything comes first, while there is other work beside it.
        own[n].sort_by_key(|s| !s.is_exclusive());
        for index in &own[n] {
            plan.add(Step::Build(index), Some(n), index.is_exclusive(), vec![ready]);
        }
    }
    plan.0
}

#[derive(Default)]
struct Plan<'a>(Vec<Task<Step<'a>>>);

impl<'a> Plan<'a> {
    /// Gives the place of the new task.
    fn add(&mut self, item: Step<'a>, table: Option<usize>, alone: bool, after: Vec<usize>) -> usize {
        self.0.push(Task { item, table, alone, after });
        self.0.len() - 1
    }
}

//! The order of a load's work: rows in, read back, indexes and statistics, so that no core waits while anything can be done.
//!
//! Each table is filled as soon as a worker is free, the biggest first; what follows on it goes on beside the filling of the
//! others. Foreign keys come after all of it, because they need the keys and statistics of two tables.

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
    Analyze(&'a Name),
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
        Step::Analyze(name) => settle::analyze(client, name),
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

/// The steps in the order in which they are wanted: all tables in first, because an index that calls functions can only be
/// built when every table that they may read is there; then table by table, the biggest first.
fn plan<'a>(tables: &'a [Table], indexes: &'a [Statement], raised: impl Fn(&Name) -> bool) -> Vec<Task<Step<'a>>> {
    let mut sorted: Vec<&Table> = tables.iter().collect();
    sorted.sort_by_key(|t| Reverse(t.bytes));
    let place: BTreeMap<&Name, usize> = sorted.iter().enumerate().map(|(n, t)| (&t.table, n)).collect();
    let (mut own, mut late): (Vec<Vec<&Statement>>, Vec<&Statement>) = (vec![Vec::new(); sorted.len()], Vec::new());
    for index in indexes {
        match ddl::table_of(&index.text) {
            Some((name, rest)) if !ddl::calls_functions(rest) && place.contains_key(&name) => {
                own[place[&name]].push(index);
            }
            _ => late.push(index),
        }
    }
    let mut plan = Plan::default();
    let fills: Vec<usize> = (0..sorted.len()).map(|n| plan.add(Step::Fill(sorted[n]), Some(n), true, vec![])).collect();
    let late: Vec<usize> = late.into_iter().map(|i| plan.add(Step::Build(i), None, false, fills.clone())).collect();
    for (n, table) in sorted.into_iter().enumerate() {
        let mut ready = fills[n];
        let mut before_end = Vec::new();
        let raised = raised(&table.table);
        if raised {
            let verified = plan.add(Step::Verify(table), Some(n), false, vec![ready]);
            ready = plan.add(Step::Raise(&table.table), Some(n), true, vec![verified]);
        }
        // What cannot share the table with anything comes first, while there is other work beside it.
        let (keys, simple): (Vec<_>, Vec<_>) = own[n].iter().partition(|s| s.kind == "CONSTRAINT");
        before_end.extend(
            keys.into_iter().map(|key| plan.add(Step::Build(key), Some(n), true, vec![ready])).collect::<Vec<_>>(),
        );
        if !raised {
            before_end.push(plan.add(Step::Verify(table), Some(n), false, vec![ready]));
        }
        before_end.extend(
            simple.into_iter().map(|i| plan.add(Step::Build(i), Some(n), false, vec![ready])).collect::<Vec<_>>(),
        );
        before_end.push(ready);
        if table.described.partitioned {
            // Its partitions' indexes are among them.
            before_end.extend(&late);
        }
        plan.add(Step::Analyze(&table.table), Some(n), true, before_end);
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

//! Emergency number blocks: every number between the first and the last that was handed out, and why one is in no row.

use crate::catalog::Name;
use crate::cli::Site;
use crate::db::Client;
use crate::error::{Cannot, Error, Result};
use crate::export::LEADING;
use crate::formats::batch;
use crate::profile::Numbers;
use crate::queue::{self, Batch};
use crate::standby::numbers::AFTER_A_CRASH;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Why a number stands for no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Cause {
    /// Handed out in a transaction that was rolled back; so is the number of a receipt that was never printed.
    #[serde(rename = "rolled back")]
    RolledBack,
    /// Its row was made and deleted within the event.
    #[serde(rename = "void")]
    Void,
    /// Left out on purpose when a standby that had died open was opened again.
    #[serde(rename = "crash")]
    Crash,
}

/// Numbers that follow each other and stand for no row, all for the same cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    pub first: i64,
    pub last: i64,
    pub count: u64,
    pub cause: Cause,
}

/// What an event did with one block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Block {
    pub sequence: String,
    /// Captured columns that the sequence fills, `schema.table.column`.
    pub columns: Vec<String>,
    pub first: i64,
    pub last: i64,
    /// Numbers of the range that rows have.
    pub used: u64,
    pub gaps: Vec<Gap>,
    /// Numbers that two captured units gave to a new row.
    pub repeats: Vec<i64>,
}

/// Generation and transaction.
type Unit = (u64, i64);

/// What the captured changes say of one number.
#[derive(Debug, Default)]
struct History {
    /// Units that made a row with it.
    made: BTreeSet<Unit>,
    /// A row has it at the end.
    there: bool,
    gone_in: Option<Unit>,
}

type Histories = BTreeMap<i64, History>;

/// The blocks of the profile that `event` used.
pub fn blocks(site: &Site, client: &mut Client, event: &str, chain: &[Batch]) -> Result<Vec<Block>> {
    let before = earlier(site, event)?;
    let mut found = Vec::new();
    for numbers in &site.profile.numbers {
        let Numbers::Block { sequence, first, last } = numbers else { continue };
        let mut owners = owners(client, sequence)?;
        owners.retain(|(table, _)| site.profile.table(table).is_some_and(|t| t.capture));
        let mut histories = Histories::new();
        for batch in chain {
            look_through(batch, &owners, *first..=*last, &mut histories)?;
        }
        let handed_out = highest(chain, sequence).or_else(|| histories.keys().next_back().copied());
        let Some(end) = handed_out.filter(|n| (*first..=*last).contains(n)) else { continue };
        let known = highest(&before, sequence).filter(|n| (*first..=*last).contains(n));
        let begin = known.map_or(*first, |n| n + 1);
        let mut repeats: BTreeSet<i64> =
            histories.iter().filter(|(_, h)| h.made.len() > 1).map(|(number, _)| *number).collect();
        // A number from below the range was handed out by an earlier event, unless a client chose it by itself.
        let below: Vec<i64> = histories.range(..begin).filter(|(_, h)| !h.made.is_empty()).map(|(n, _)| *n).collect();
        if !below.is_empty() {
            let mut then = Histories::new();
            for batch in &before {
                look_through(batch, &owners, *first..=*last, &mut then)?;
            }
            repeats.extend(below.iter().filter(|n| then.get(n).is_some_and(|h| !h.made.is_empty())));
        }
        found.push(Block {
            sequence: sequence.to_string(),
            columns: owners.iter().map(|(table, column)| format!("{table}.{column}")).collect(),
            first: begin,
            last: end,
            used: histories.iter().filter(|(n, h)| (begin..=end).contains(n) && h.there).count() as u64,
            // Without a captured column nobody can say which numbers stand for a row.
            gaps: if owners.is_empty() { Vec::new() } else { gaps(begin, end, &histories) },
            repeats: repeats.into_iter().collect(),
        });
    }
    Ok(found)
}

/// Every number of the range that no row has.
fn gaps(first: i64, last: i64, histories: &Histories) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    let mut next = first;
    let mut missing = |from: i64, to: i64| {
        let count = u64::try_from(to - from + 1).unwrap_or(0);
        if count > 0 {
            // Nobody rolls a thousand back in a row.
            let cause = if count >= AFTER_A_CRASH.unsigned_abs() { Cause::Crash } else { Cause::RolledBack };
            gaps.push(Gap { first: from, last: to, count, cause });
        }
    };
    if first <= last {
        for number in histories.range(first..=last).map(|(number, _)| *number) {
            missing(next, number - 1);
            next = number + 1;
        }
        missing(next, last);
        for number in histories.range(first..=last).filter(|(_, h)| !h.there).map(|(number, _)| *number) {
            match gaps.iter_mut().find(|g| g.cause == Cause::Void && g.last + 1 == number) {
                Some(gap) => (gap.last, gap.count) = (number, gap.count + 1),
                None => gaps.push(Gap { first: number, last: number, count: 1, cause: Cause::Void }),
            }
        }
    }
    gaps.sort_by_key(|g| g.first);
    gaps
}

/// Batches of the events before this one.
fn earlier(site: &Site, event: &str) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    for other in site.store.events()?.into_iter().take_while(|e| e != event) {
        batches.extend(queue::chain(&site.store, &other)?.0);
    }
    Ok(batches)
}

/// How far the sequence had come in any of `batches`.
fn highest(batches: &[Batch], sequence: &Name) -> Option<i64> {
    let numbers = batches.iter().flat_map(|b| &b.manifest.numbers);
    numbers.filter(|n| n.sequence == *sequence).filter_map(|n| n.last).max()
}

/// Columns that the sequence fills.
fn owners(client: &mut Client, sequence: &Name) -> Result<Vec<(Name, String)>> {
    let doing = || format!("look for the columns of '{sequence}'");
    let mut tx = client.transaction().cannot(doing())?;
    tx.query(crate::sql!("standby/own_path.sql"), &[]).cannot(doing())?;
    let rows = tx.query(crate::sql!("standby/number_owner.sql"), &[&sequence.sql()]).cannot(doing())?;
    tx.rollback().cannot(doing())?;
    Ok(rows.iter().map(|r| (Name { schema: r.get(0), name: r.get(1) }, r.get(2))).collect())
}

/// Reads what one batch did with numbers of the block.
fn look_through(
    batch: &Batch,
    owners: &[(Name, String)],
    block: std::ops::RangeInclusive<i64>,
    histories: &mut Histories,
) -> Result<()> {
    for table in &batch.manifest.tables {
        let mut places = Vec::new();
        for (_, column) in owners.iter().filter(|(name, _)| *name == table.table) {
            places.extend(table.columns.iter().position(|c| c.name == *column));
        }
        if !places.is_empty() {
            one_file(batch, table, &places, &block, histories)?;
        }
    }
    Ok(())
}

fn one_file(
    batch: &Batch,
    table: &batch::Table,
    places: &[usize],
    block: &std::ops::RangeInclusive<i64>,
    histories: &mut Histories,
) -> Result<()> {
    let path = batch.dir.join(&table.file);
    let doing = || format!("read '{}'", path.display());
    let mut reader = csv::ReaderBuilder::new().from_path(&path).cannot(doing())?;
    let mut row = csv::ByteRecord::new();
    while reader.read_byte_record(&mut row).cannot(doing())? {
        let text = |at: usize| row.get(at).and_then(|f| std::str::from_utf8(f).ok());
        let xid = text(1).and_then(|t| t.parse().ok()).ok_or_else(|| Error::damaged(doing(), "a row has no unit"))?;
        let unit = (batch.manifest.generation, xid);
        for place in places {
            let number = |at: usize| text(at).and_then(|t| t.parse::<i64>().ok()).filter(|n| block.contains(n));
            let (old, new) = (number(LEADING.len() + place), number(LEADING.len() + table.columns.len() + place));
            if old == new {
                continue;
            }
            if let Some(old) = old {
                let history = histories.entry(old).or_default();
                (history.there, history.gone_in) = (false, Some(unit));
            }
            if let Some(new) = new {
                let history = histories.entry(new).or_default();
                // A row that moves to another partition goes and comes within its unit.
                if history.gone_in != Some(unit) {
                    history.made.insert(unit);
                }
                history.there = true;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_named_by_their_cause() {
        let there = |n| (n, History { there: true, ..History::default() });
        let void = |n| (n, History::default());
        let histories: Histories = [there(1), there(3), void(4), void(5), there(2000)].into_iter().collect();
        let gap = |first, last, count, cause| Gap { first, last, count, cause };
        assert_eq!(
            gaps(1, 2001, &histories),
            [
                gap(2, 2, 1, Cause::RolledBack),
                gap(4, 5, 2, Cause::Void),
                gap(6, 1999, 1994, Cause::Crash),
                gap(2001, 2001, 1, Cause::RolledBack),
            ]
        );
        assert_eq!(gaps(5, 4, &histories), []);
    }
}

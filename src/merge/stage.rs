//! Brings the units to be merged into temporary tables of the primary: those of new batches, and those held before.

use super::link;
use super::shape::Shape;
use super::statements::{Statements, run};
use super::target::Target;
use crate::db::Transaction;
use crate::db::sql::{self, literal};
use crate::error::{Cannot, Error, Result};
use crate::queue::Batch;
use minijinja::value::Serde;
use minijinja::{Value, context};

/// What a run works on; the temporary tables of `sql/merge/stage.sql` hold the rest.
#[derive(Debug, Clone, Copy)]
pub struct Staged {
    /// Units are numbered 1 to this, in the order they were done.
    pub last: i64,
}

/// Everything that goes into the staging tables.
pub struct Input<'a> {
    pub batches: &'a [Batch],
    pub shapes: &'a [Shape],
    pub targets: &'a [Target],
    pub search_path: &'a str,
}

/// Loads the batches and the held units under pinned settings, and finds out what each unit changes, touches and references.
/// Nothing of the HIS is touched.
pub fn stage(tx: &mut Transaction<'_>, input: &Input<'_>) -> Result<Staged> {
    let doing = "stage the units to be merged";
    read(tx, input)?;
    arrange(tx, input.targets, None)?;
    let (last, new) = count(tx)?;
    let expected: u64 = input.batches.iter().map(|b| b.manifest.totals.units).sum();
    if u64::try_from(new).ok() != Some(expected) {
        return Err(Error::damaged(
            doing,
            format!("the batches have {new} units (expected {expected} by their manifests)"),
        ));
    }
    Ok(Staged { last })
}

/// Reads the files of the batches into empty staging tables, under pinned settings.
pub fn read(to: &mut impl Statements, input: &Input<'_>) -> Result<()> {
    let doing = "stage the units of the batches";
    begin(to, input.targets, input.search_path)?;
    let numbers: Vec<usize> = input.targets.iter().map(|t| t.no).collect();
    for (b, batch) in (1i32..).zip(input.batches) {
        let m = &batch.manifest;
        let numbered = [m.epoch, m.batch, m.generation].map(|n| n.to_string());
        let values = [&[b.to_string(), literal(&m.event)], &numbered[..]].concat();
        to.take(&sql::bound(crate::sql!("merge/stage_batch.sql"), &values), doing)?;
        run(to, crate::sql!("merge/stage_for.sql"), context! { b, tables => numbers.clone() }, doing)?;
        to.copy(crate::sql!("merge/copy_units.sql"), &mut batch.units()?, "the units")?;
        for table in &m.tables {
            let found = input.shapes.iter().zip(input.targets).find(|(s, _)| s.table == table.table);
            let Some((shape, target)) = found else { continue };
            let positions = shape.positions(&table.columns);
            let copy = sql::render(crate::sql!("merge/copy_table.sql"), context! { no => target.no, positions })?;
            to.copy(&copy, &mut batch.read(&table.file)?, &table.file)?;
        }
    }
    Ok(())
}

/// Makes one update of a row that moved between partitions.
pub fn join_moved(to: &mut impl Statements, target: &Target, doing: &str) -> Result<()> {
    if target.partitioned {
        run(to, crate::sql!("merge/join_moved.sql"), Value::from(Serde(target)), doing)?;
    }
    Ok(())
}

/// Empty staging under pinned settings.
pub fn begin(to: &mut impl Statements, targets: &[Target], search_path: &str) -> Result<()> {
    let doing = "stage the units to be merged";
    to.take(crate::sql!("export/pins.sql"), doing)?;
    to.take(crate::sql!("merge/stage.sql"), doing)?;
    to.take(&sql::bound(crate::sql!("merge/own_path.sql"), &[literal(search_path)]), doing)?;
    for target in targets {
        run(to, crate::sql!("merge/stage_raw.sql"), Value::from(Serde(target)), doing)?;
    }
    Ok(())
}

/// Adds what the ledger holds, of a backfill (its event) or of everything else, and finds out what each unit changes, touches
/// and references.
pub fn arrange(to: &mut impl Statements, targets: &[Target], backfill: Option<&str>) -> Result<()> {
    let doing = "stage the units to be merged";
    let waiting = context! { tables => Value::from(Serde(targets)), backfill };
    run(to, crate::sql!("merge/stage_waiting.sql"), waiting, doing)?;
    // The content is what the batches have, before any decision changes it.
    for target in targets {
        run(to, crate::sql!("merge/hash_table.sql"), Value::from(Serde(target)), doing)?;
    }
    to.take(crate::sql!("merge/order_units.sql"), doing)?;
    to.take(crate::sql!("merge/unit_hash.sql"), "merge the units of the batches")?;
    link::repoint(to, targets)?;
    for target in targets {
        join_moved(to, target, doing)?;
        run(to, crate::sql!("merge/stage_table.sql"), Value::from(Serde(target)), doing)?;
    }
    to.take(crate::sql!("merge/touched.sql"), doing)?;
    for target in targets {
        run(to, crate::sql!("merge/refer_table.sql"), Value::from(Serde(target)), doing)?;
    }
    Ok(())
}

/// The last position of what is arranged, and how many of the units are not the ledger's.
pub fn count(tx: &mut Transaction<'_>) -> Result<(i64, i64)> {
    let row = tx.query_one(crate::sql!("merge/count_units.sql"), &[]).cannot("count the units to be merged")?;
    Ok((row.get(0), row.get(1)))
}

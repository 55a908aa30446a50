//! Brings the units to be merged into temporary tables of the primary: those of new batches, and those held before.

use super::link;
use super::shape::Shape;
use super::target::Target;
use crate::db::sql;
use crate::error::{Cannot, Error, Result};
use crate::formats::batch::UNITS_FILE;
use crate::queue::Batch;
use minijinja::value::Serde;
use minijinja::{Value, context};
use postgres::Transaction;
use std::fs::File;
use std::io::{BufWriter, Read};
use std::path::Path;

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
    let (last, new) = arrange(tx, input.targets, None)?;
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
pub fn read(tx: &mut Transaction<'_>, input: &Input<'_>) -> Result<()> {
    let doing = "stage the units of the batches";
    begin(tx, input.targets, input.search_path)?;
    let numbers: Vec<usize> = input.targets.iter().map(|t| t.no).collect();
    for (b, batch) in (1i32..).zip(input.batches) {
        let m = &batch.manifest;
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        tx.execute(
            crate::sql!("merge/stage_batch.sql"),
            &[&b, &m.event, &signed(m.epoch), &signed(m.batch), &signed(m.generation)],
        )
        .cannot(doing)?;
        run(tx, crate::sql!("merge/stage_for.sql"), context! { b, tables => numbers.clone() }, doing)?;
        copy_in(tx, crate::sql!("merge/copy_units.sql"), &batch.dir.join(UNITS_FILE))?;
        for table in &m.tables {
            let found = input.shapes.iter().zip(input.targets).find(|(s, _)| s.table == table.table);
            let Some((shape, target)) = found else { continue };
            let positions = shape.positions(&table.columns);
            let copy = sql::render(crate::sql!("merge/copy_table.sql"), context! { no => target.no, positions })?;
            copy_in(tx, &copy, &batch.dir.join(&table.file))?;
        }
    }
    Ok(())
}

/// Makes one update of a row that moved between partitions.
pub fn join_moved(tx: &mut Transaction<'_>, target: &Target, doing: &str) -> Result<()> {
    if target.partitioned {
        run(tx, crate::sql!("merge/join_moved.sql"), Value::from(Serde(target)), doing)?;
    }
    Ok(())
}

/// Empty staging under pinned settings.
pub fn begin(tx: &mut Transaction<'_>, targets: &[Target], search_path: &str) -> Result<()> {
    let doing = "stage the units to be merged";
    tx.batch_execute(crate::sql!("export/pins.sql")).cannot(doing)?;
    tx.batch_execute(crate::sql!("merge/stage.sql")).cannot(doing)?;
    tx.query(crate::sql!("merge/own_path.sql"), &[&search_path]).cannot(doing)?;
    for target in targets {
        run(tx, crate::sql!("merge/stage_raw.sql"), Value::from(Serde(target)), doing)?;
    }
    Ok(())
}

/// Adds what the ledger holds, of a backfill (its event) or of everything else, and finds out what each unit changes, touches
/// and references. Gives the last position, and how many of the units are not the ledger's.
pub fn arrange(tx: &mut Transaction<'_>, targets: &[Target], backfill: Option<&str>) -> Result<(i64, i64)> {
    let doing = "stage the units to be merged";
    let waiting = context! { tables => Value::from(Serde(targets)), backfill };
    run(tx, crate::sql!("merge/stage_waiting.sql"), waiting, doing)?;
    tx.batch_execute(crate::sql!("merge/order_units.sql")).cannot(doing)?;
    // The content is what the batches have, before any decision changes it.
    for target in targets {
        run(tx, crate::sql!("merge/hash_table.sql"), Value::from(Serde(target)), doing)?;
    }
    require_same_content(tx)?;
    link::repoint(tx, targets)?;
    for target in targets {
        join_moved(tx, target, doing)?;
        run(tx, crate::sql!("merge/stage_table.sql"), Value::from(Serde(target)), doing)?;
    }
    tx.batch_execute(crate::sql!("merge/touched.sql")).cannot(doing)?;
    for target in targets {
        run(tx, crate::sql!("merge/refer_table.sql"), Value::from(Serde(target)), doing)?;
    }
    let row = tx.query_one(crate::sql!("merge/count_units.sql"), &[]).cannot(doing)?;
    Ok((row.get(0), row.get(1)))
}

/// A unit that the ledger knows must have the content that the ledger knows.
fn require_same_content(tx: &mut Transaction<'_>) -> Result<()> {
    let doing = "compare the units with the ledger";
    tx.batch_execute(crate::sql!("merge/unit_hash.sql")).cannot(doing)?;
    let rows = tx.query(crate::sql!("merge/unit_other.sql"), &[]).cannot(doing)?;
    match rows.first() {
        None => Ok(()),
        Some(row) => {
            let unit: &str = row.get(0);
            Err(Error::damaged(
                format!("merge the unit '{unit}'"),
                "the ledger knows a unit of that id with other content",
            )
            .hint("one of the two was made from another database or changed by hand; keep both and compare them before anything else is merged."))
        }
    }
}

fn copy_in(tx: &mut Transaction<'_>, copy: &str, path: &Path) -> Result<()> {
    let doing = format!("stage '{}'", path.display());
    let mut file = File::open(path).cannot(doing.clone())?;
    copy_from(tx, copy, &mut file, &doing).map(drop)
}

/// Sends all of `from` into a COPY; gives the rows that arrived.
pub fn copy_from(tx: &mut Transaction<'_>, copy: &str, from: &mut impl Read, doing: &str) -> Result<u64> {
    let writer = tx.copy_in(copy).cannot(doing)?;
    // Large pieces: the driver sends each as one message.
    let mut writer = BufWriter::with_capacity(1 << 18, writer);
    std::io::copy(from, &mut writer).cannot(doing)?;
    let writer = writer.into_inner().map_err(|e| Error::failed(doing, e.error()))?;
    writer.finish().cannot(doing)
}

/// Renders a template and runs it.
pub fn run(tx: &mut Transaction<'_>, template: &str, context: Value, doing: &str) -> Result<()> {
    let text = sql::render(template, context)?;
    tx.batch_execute(&text).cannot(doing)
}

//! Brings a batch into temporary tables of the primary and finds out what depends on what.

use super::target::Target;
use crate::db::{Client, sql};
use crate::error::{Cannot, Error, Result};
use crate::formats::batch::UNITS_FILE;
use crate::queue::Batch;
use minijinja::value::Serde;
use minijinja::{Value, context};
use postgres::Transaction;
use std::fs::File;
use std::path::Path;

/// How many units are staged.
#[derive(Debug, Clone, Copy)]
pub struct Staged {
    pub last_pos: i64,
}

/// Loads the batch under pinned settings. Nothing of the HIS is touched.
pub fn stage(client: &mut Client, batch: &Batch, targets: &[Target]) -> Result<Staged> {
    let doing = || format!("stage the batch '{}'", batch.dir.display());
    let mut tx = client.transaction().cannot(doing())?;
    tx.batch_execute(crate::sql!("export/pins.sql")).cannot(doing())?;
    tx.batch_execute(crate::sql!("merge/stage_units.sql")).cannot(doing())?;
    copy_in(&mut tx, crate::sql!("merge/copy_units.sql"), &batch.dir.join(UNITS_FILE))?;
    let m = &batch.manifest;
    run(
        &mut tx,
        crate::sql!("merge/order_units.sql"),
        context! { event => m.event.clone(), generation => m.generation },
        &doing(),
    )?;
    for target in targets {
        let this = Value::from(Serde(target));
        run(&mut tx, crate::sql!("merge/stage_table.sql"), this.clone(), &doing())?;
        let copy = sql::render(crate::sql!("merge/copy_table.sql"), this.clone())?;
        copy_in(&mut tx, &copy, &batch.dir.join(&target.file))?;
        run(&mut tx, crate::sql!("merge/analyse_table.sql"), this, &doing())?;
    }
    let tables: Vec<Value> = targets.iter().map(|t| context! { no => t.no, name => t.name.clone() }).collect();
    run(&mut tx, crate::sql!("merge/edges.sql"), context! { tables }, &doing())?;
    tx.batch_execute(crate::sql!("merge/close_over.sql")).cannot(doing())?;
    for target in targets {
        functions(&mut tx, target, &doing())?;
    }
    let numbers: Vec<usize> = targets.iter().map(|t| t.no).collect();
    for careful in [false, true] {
        run(&mut tx, crate::sql!("merge/apply.sql"), context! { tables => numbers.clone(), careful }, &doing())?;
    }
    let row = tx.query_one(crate::sql!("merge/units_left.sql"), &[]).cannot(doing())?;
    let staged = Staged { last_pos: row.get(0) };
    tx.commit().cannot(doing())?;
    let expected = i64::try_from(m.totals.units).unwrap_or(-1);
    if staged.last_pos != expected {
        return Err(Error::damaged(
            doing(),
            format!("units.csv has {} units (expected {expected} by the manifest)", staged.last_pos),
        ));
    }
    Ok(staged)
}

/// The function that applies one change of this table: one branch for each set of columns that the batch changes.
fn functions(tx: &mut Transaction<'_>, target: &Target, doing: &str) -> Result<()> {
    let text = sql::render(crate::sql!("merge/signatures.sql"), context! { no => target.no })?;
    let rows = tx.query(&text, &[]).cannot(doing)?;
    let signatures: Vec<Value> = rows
        .iter()
        .map(|row| {
            let all: Vec<i32> = row.get(0);
            let changed = |i: usize| i32::try_from(i).is_ok_and(|i| all.contains(&i));
            let stamped = |name: &str| target.stamps.iter().any(|s| s.name == name);
            let sets: Vec<_> =
                target.columns.iter().filter(|c| changed(c.i) && c.data && !c.number && !stamped(&c.name)).collect();
            context! { all => all, sets => Value::from(Serde(&sets)) }
        })
        .collect();
    run(tx, crate::sql!("merge/apply_table.sql"), context! { signatures, ..Value::from(Serde(target)) }, doing)
}

fn copy_in(tx: &mut Transaction<'_>, copy: &str, path: &Path) -> Result<()> {
    let doing = || format!("stage '{}'", path.display());
    let mut file = File::open(path).cannot(doing())?;
    let mut writer = tx.copy_in(copy).cannot(doing())?;
    std::io::copy(&mut file, &mut writer).cannot(doing())?;
    writer.finish().cannot(doing()).map(drop)
}

/// Renders a template and runs it.
pub fn run(tx: &mut Transaction<'_>, template: &str, context: Value, doing: &str) -> Result<()> {
    let text = sql::render(template, context)?;
    tx.batch_execute(&text).cannot(doing)
}

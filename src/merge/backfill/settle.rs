//! Planning and applying the units of a backfill, also of those that were held and that a decision has set free.

use super::{DOING, ledger, tables};
use crate::cli::Site;
use crate::db::Client;
use crate::db::Transaction;
use crate::error::{Cannot, Result};
use crate::merge::apply::Applying;
use crate::merge::shape::Shape;
use crate::merge::target::{self, Target};
use crate::merge::{Primary, chunk, plan, stage, statements};
use minijinja::Value;
use minijinja::value::Serde;

/// Merges the held units of backfills that a decision has set free.
pub(in crate::merge) fn settle(site: &Site, client: &mut Client, primary: &Primary) -> Result<()> {
    if !ledger::is_there(client)? {
        return Ok(());
    }
    for event in to_settle(client)? {
        let shapes: Vec<Shape> = tables::waiting(client, &event, &primary.catalog, &site.profile)?;
        let profile = tables::profile(&site.profile, shapes.iter().map(|s| s.table.clone()), false);
        let targets = target::targets(&shapes, &primary.catalog, &profile)?;
        let row = client
            .query_one(crate::sql!("merge/begin_run.sql"), &[&event, &site.by, &crate::store::host()])
            .cannot("begin a run in the merge ledger")?;
        let run: i64 = row.get(0);
        let mut tx = client.transaction().cannot(DOING)?;
        stage::begin(&mut tx, &targets, &primary.own.search_path)?;
        stage::arrange(&mut tx, &targets, Some(&event))?;
        let (last, _) = stage::count(&mut tx)?;
        let chunks = plan_all(&mut tx, &targets, primary, last)?;
        tx.commit().cannot(DOING)?;
        Applying { targets: &targets, own: &primary.own, run, by: &site.by }.all(client, chunks, |_| {})?;
        client.execute(crate::sql!("merge/end_run.sql"), &[&run]).cannot("end the run in the merge ledger")?;
    }
    Ok(())
}

pub(super) fn to_settle(client: &mut Client) -> Result<Vec<String>> {
    let rows = client.query(crate::sql!("merge/backfill/to_settle.sql"), &[]).cannot("look for decided units")?;
    Ok(rows.iter().map(|r| r.get(0)).collect())
}

/// Plans what is staged; gives the number of chunks.
pub(super) fn plan_all(tx: &mut Transaction<'_>, targets: &[Target], primary: &Primary, last: i64) -> Result<i32> {
    for target in targets {
        let this = Value::from(Serde(target));
        statements::run(tx, crate::sql!("merge/backfill/not_made.sql"), this, DOING)?;
    }
    plan::plan(tx, targets, &primary.catalog, &primary.own.search_path)?;
    chunk::number(tx, last, targets)
}

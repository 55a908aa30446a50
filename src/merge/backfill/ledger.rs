//! The merge ledger of a restored primary: put back as the snapshot has it, because the snapshot's rows hold what was merged
//! by then. A batch that this ledger forgot would otherwise be merged into rows that have it already.

use crate::db::Transaction;
use crate::db::{Client, sql};
use crate::error::{Cannot, Error, Result};
use crate::formats::snapshot::LedgerTable;
use crate::merge::statements;
use crate::snapshot::Snapshot;
use chrono::{DateTime, Utc};
use minijinja::{Value, context};

/// What became of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// There was none when the snapshot was taken, or the primary's knows all that the snapshot's does.
    Own,
    /// It is as it was in the snapshot, with runs up to this one.
    PutBack(u64),
}

/// Makes the ledger and the record of backfills; both may be there.
pub fn make(tx: &mut Transaction<'_>) -> Result<()> {
    let doing = "make the merge ledger on the primary";
    tx.batch_execute(crate::sql!("merge/ledger.sql")).cannot(doing)?;
    tx.batch_execute(crate::sql!("merge/ledger_later.sql")).cannot(doing)?;
    tx.batch_execute(crate::sql!("merge/backfill/ledger.sql")).cannot(doing)
}

/// True when the primary has the record of backfills.
pub fn is_there(client: &mut Client) -> Result<bool> {
    let row = client.query_one(crate::sql!("merge/backfill/there.sql"), &[]).cannot("look for earlier backfills")?;
    Ok(row.get(0))
}

/// Puts the snapshot's ledger in place of the primary's, if it knows more. Each run of one must then be a run of the other:
/// of two ledgers that went apart nobody can say which rows are merged.
pub fn put_back(tx: &mut Transaction<'_>, snapshot: &Snapshot) -> Result<Kept> {
    let manifest = &snapshot.manifest;
    if manifest.ledger.run == 0 {
        return Ok(Kept::Own);
    }
    let doing = "put the merge ledger back";
    let tables: Vec<(usize, &LedgerTable)> = (1..).zip(&manifest.ledger_tables).collect();
    let Some((runs, _)) = tables.iter().find(|(_, t)| t.table == "merge_run") else {
        return Err(Error::refused(
            doing,
            format!(
                "the snapshot '{}' has no copy of it, and knows of merges up to run {}",
                snapshot.id, manifest.ledger.run
            ),
        )
        .hint("it was taken by an earlier version; use a snapshot from before the first merge, or a newer one."));
    };
    tx.batch_execute(crate::sql!("export/pins.sql")).cannot(doing)?;
    for (no, table) in &tables {
        let context = context! { no, table => table.table.clone(), columns => table.columns.clone() };
        let text = sql::render(crate::sql!("merge/backfill/kept_table.sql"), context.clone())?;
        tx.batch_execute(&text).cannot(doing).map_err(|e| {
            e.hint("the snapshot's ledger is of another version of the toolkit; use the version that took it.")
        })?;
        let copy = sql::render(crate::sql!("merge/backfill/kept_copy.sql"), context)?;
        let rows = statements::copy_from(tx, &copy, &mut snapshot.ledger_csv(table)?, doing)?;
        if rows != table.rows {
            return Err(Error::damaged(
                doing,
                format!("{rows} rows of '{}' arrived (expected {})", table.table, table.rows),
            ));
        }
    }
    if !is_ahead(tx, *runs, &tables, snapshot)? {
        return Ok(Kept::Own);
    }
    let identities = pairs(tx, crate::sql!("merge/backfill/kept_identities.sql"))?;
    // The ledger's own references would want an order.
    tx.query(crate::sql!("merge/trigger_mode.sql"), &[&"replica", &true]).cannot(doing)?;
    for (no, table) in &tables {
        let own: Vec<String> = identities.iter().filter(|(t, _)| *t == table.table).map(|(_, c)| c.clone()).collect();
        let context =
            context! { no, table => table.table.clone(), columns => table.columns.clone(), identities => own };
        statements::run(tx, crate::sql!("merge/backfill/kept_replace.sql"), context, doing)?;
    }
    tx.query(crate::sql!("merge/trigger_mode.sql"), &[&"origin", &true]).cannot(doing)?;
    Ok(Kept::PutBack(manifest.ledger.run))
}

/// Whether the snapshot's ledger knows what the primary's does not.
fn is_ahead(
    tx: &mut Transaction<'_>,
    runs: usize,
    tables: &[(usize, &LedgerTable)],
    snapshot: &Snapshot,
) -> Result<bool> {
    let doing = "compare the merge ledger with the snapshot's";
    let times: Vec<Value> = pairs(tx, crate::sql!("merge/backfill/kept_times.sql"))?
        .iter()
        .filter_map(|(table, column)| {
            let (no, _) = tables.iter().find(|(_, t)| t.table == *table && t.columns.contains(column))?;
            Some(context! { no, table, column })
        })
        .collect();
    let text = sql::render(crate::sql!("merge/backfill/kept_compare.sql"), context! { runs, times })?;
    let row = tx.query_one(&text, &[]).cannot(doing)?;
    let (ours, theirs): (i64, i64) = (row.get(0), row.get(1));
    let (own, kept): (Option<DateTime<Utc>>, Option<DateTime<Utc>>) = (row.get(2), row.get(3));
    match (ours, theirs) {
        (0, 0) => Ok(kept > own),
        (0, _) => Ok(true),
        (_, 0) => Ok(false),
        _ => Err(Error::refused(
            doing,
            format!("they went apart: the primary has {ours} runs that the snapshot '{}' does not know, and lacks {theirs}", snapshot.id),
        )
        .hint("something was merged into the restored primary before what it forgot was brought back, or an older snapshot was brought back first. Restore the backup again, then bring back the newest snapshot before anything is merged.")),
    }
}

fn pairs(tx: &mut Transaction<'_>, text: &str) -> Result<Vec<(String, String)>> {
    let rows = tx.query(text, &[]).cannot("read the tables of the merge ledger")?;
    Ok(rows.iter().map(|r| (r.get(0), r.get(1))).collect())
}

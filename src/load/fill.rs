//! The data of a generation: the snapshot's CSV bytes in by COPY, and out again to be compared (P2, P3).

use crate::db::{BLOCK, Client, Transaction, reason, sql};
use crate::error::{Cannot, Error, Exit, Result};
use crate::formats::digest::{Digested, RecordDigest};
use crate::formats::snapshot::Table;
use crate::snapshot::Snapshot;
use indicatif::ProgressBar;
use minijinja::context;
use std::io::{self, Read, Write};

/// Fills one table.
pub fn fill(client: &mut Client, snapshot: &Snapshot, table: &Table, bar: &ProgressBar) -> Result<()> {
    let doing = || format!("fill '{}'", table.table);
    if table.columns.is_empty() {
        return Ok(());
    }
    let mut tx = client.transaction().cannot(doing())?;
    // CSV written in UTC with every name qualified reads the same under the database's own settings, and checks,
    // domains and generated columns then work as they do on the primary.
    let own = &snapshot.manifest.primary;
    pin(&mut tx, &own.timezone, &super::build::own_path(own)).cannot(doing())?;
    let freeze = !table.described.partitioned;
    if freeze {
        let text = sql::render(crate::sql!("load/truncate.sql"), context! { table => table.table.sql() })?;
        tx.batch_execute(&text).cannot(doing())?;
    }
    let context = context! { table => table.table.sql(), columns => table.columns.clone(), freeze };
    let text = sql::render(crate::sql!("load/copy_in.sql"), context)?;
    copy_in(&mut tx, &text, &mut snapshot.csv(table)?, table.rows, &doing(), |bytes| bar.inc(bytes))?;
    tx.commit().cannot(doing())
}

/// Sends all of `source`, in which there must be so many rows.
pub(super) fn copy_in(
    tx: &mut Transaction,
    statement: &str,
    source: &mut impl Read,
    expected: u64,
    doing: &str,
    mut sent: impl FnMut(u64),
) -> Result<()> {
    let mut writer = tx.copy_in(statement).cannot(doing)?;
    let mut piece = vec![0; BLOCK];
    loop {
        let read = match source.read(&mut piece) {
            Ok(0) => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read.cannot(format!("{doing}: read the snapshot"))?,
        };
        writer.write_all(&piece[..read]).map_err(|e| of_the_server(e, doing))?;
        sent(read as u64);
    }
    let rows = writer.finish().map_err(|e| refused_row(&e, doing))?;
    if rows != expected {
        return Err(Error::damaged(doing, format!("{rows} rows arrived (expected {expected})")));
    }
    Ok(())
}

/// The driver hands its errors through `io::Error` while a COPY is under way.
fn of_the_server(error: io::Error, doing: &str) -> Error {
    let Some(inner) = error.into_inner() else {
        return Error::unreachable(doing, "the session ended");
    };
    let (exit, reason, _) = match inner.downcast::<tokio_postgres::Error>() {
        Ok(e) => reason::of(&e),
        Err(e) => (Exit::Failed, e.to_string(), None),
    };
    Error::new(exit, doing, reason)
}

fn refused_row(error: &tokio_postgres::Error, doing: &str) -> Error {
    let (exit, reason, hint) = reason::of(error);
    let told = Error::new(exit, doing, reason);
    // Classes 22 and 23: a value or a rule; anything else is the server's trouble, not the row's.
    let of_a_row = error.code().is_some_and(|c| c.code().starts_with("22") || c.code().starts_with("23"));
    match hint {
        Some(hint) => told.hint(hint),
        None if of_a_row => told.hint("the standby's schema does not take a row that the primary has: a column left out by omit that must not be NULL, or a check that depends on something the standby lacks. his-snapshot check names it."),
        None => told,
    }
}

/// Reads one table back: it must have exactly the snapshot's records.
pub fn verify(client: &mut Client, table: &Table) -> Result<()> {
    let doing = || format!("verify '{}' on the standby", table.table);
    if table.columns.is_empty() {
        return Ok(());
    }
    let mut tx = client.transaction().cannot(doing())?;
    let found = read_back(&mut tx, table, &doing())?;
    tx.commit().cannot(doing())?;
    if (found.rows, &found.digest) == (table.rows, &table.digest) {
        return Ok(());
    }
    let reason = format!(
        "it gives back {} rows with digest {} (expected {} rows with digest {})",
        found.rows, found.digest, table.rows, table.digest
    );
    Err(Error::damaged(doing(), reason)
        .hint("the unfinished database is dropped. Run his-snapshot verify; if the snapshot is sound, standby and primary write a value of this table differently: compare server versions, locales and extensions."))
}

/// All rows of a table as the server writes them.
pub(super) fn read_back(tx: &mut Transaction, table: &Table, doing: &str) -> Result<Digested> {
    pin(tx, &table.timezone, &table.search_path).cannot(doing)?;
    let context = context! { table => table.table.sql(), columns => table.columns.clone(), partitioned => table.described.partitioned, filter => () };
    digest(tx, &sql::render(crate::sql!("snapshot/copy.sql"), context)?, &table.digest, doing)
}

/// What a COPY sends, to be compared with the digest `like`.
pub(super) fn digest(tx: &mut Transaction, statement: &str, like: &str, doing: &str) -> Result<Digested> {
    let mut digest = RecordDigest::like(like);
    let mut reader = tx.copy_out(statement).cannot(doing)?;
    while let Some(block) = reader.block().cannot(doing)? {
        digest.update(&block);
    }
    drop(reader);
    digest.finish().ok_or_else(|| Error::damaged(doing, "the server's answer is cut off"))
}

/// Pins what the text of a value depends on, for the rest of the transaction.
pub(super) fn pin(tx: &mut Transaction, timezone: &str, search_path: &str) -> Result<(), tokio_postgres::Error> {
    let text = sql::render(crate::sql!("snapshot/session.sql"), context! { timezone, search_path });
    // The template is ours and its parameters are set: rendering cannot fail but by a mistake in it.
    tx.batch_execute(&text.unwrap_or_default())
}

//! Applies staged units in chunks; the ledger is written in the same transaction (P7).
//!
//! Each change is guarded by what the standby knew, so nothing is overwritten that the primary changed since the plan was
//! made. A chunk is first tried set-wise; when anything does not fit, it is done again carefully, unit by unit: what cannot
//! be applied is held, with all that depends on it, and the rest goes in. References are checked by us, because under
//! replay the primary's own triggers are silent, and what was written is read back.

use super::statements::{Statements, run};
use super::target::Target;
use crate::db::{Client, sql};
use crate::error::{Cannot, Error, Result};
use minijinja::value::Serde;
use minijinja::{Value, context};
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// A chunk that loses a deadlock or a lock wait against a window is tried again this often.
const TRIES: u32 = 8;

/// The database's own settings, under which the HIS's functions, checks and defaults run.
#[derive(Debug, Clone)]
pub struct Own {
    pub timezone: String,
    pub search_path: String,
}

/// Staged units on their way into the primary.
pub struct Applying<'a> {
    pub targets: &'a [Target],
    pub own: &'a Own,
    pub run: i64,
    pub by: &'a str,
}

/// The trigger mode of a session that merges. Between tables of both modes it goes back to the server's own; but each change of
/// it makes the server plan every statement anew, so that it stays silent when all tables are merged so.
fn between(targets: &[Target]) -> &'static str {
    if targets.iter().all(|t| t.replay) { "replica" } else { "origin" }
}

/// An error, and whether trying again may help.
type Failure = (Error, bool);

const DOING: &str = "merge the units";

impl Applying<'_> {
    /// Writes what the plan holds into the ledger, then applies everything else; `progress` is called with the chunks done.
    pub fn all(&self, client: &mut Client, chunks: i32, progress: impl Fn(i32)) -> Result<()> {
        let mut tx = client.transaction().cannot(DOING)?;
        tx.query(crate::sql!("merge/call_record.sql"), &[&self.run, &self.by]).cannot("write the merge ledger")?;
        tx.commit().cannot(DOING)?;
        client.query(crate::sql!("merge/trigger_mode.sql"), &[&between(self.targets), &false]).cannot(DOING)?;
        let done = self.chunks(client, chunks, progress);
        let back = client.query(crate::sql!("merge/trigger_mode.sql"), &[&"origin", &false]);
        done.and_then(|()| back.cannot(DOING).map(drop))
    }

    fn chunks(&self, client: &mut Client, chunks: i32, progress: impl Fn(i32)) -> Result<()> {
        for chunk in 1..=chunks {
            let mut tries = 0;
            loop {
                match self.chunk(client, chunk) {
                    Ok(()) => break,
                    Err((error, true)) if tries < TRIES => {
                        tries += 1;
                        log::info!("chunk {chunk} gave way to a window ({error}); trying again");
                        std::thread::sleep(Duration::from_millis(100 * u64::from(tries)));
                    }
                    Err((error, true)) => {
                        return Err(error.hint("windows of the primary hold rows that the merge needs; run his-merge again, it goes on where it stopped."));
                    }
                    Err((error, false)) => return Err(error),
                }
            }
            progress(chunk);
        }
        Ok(())
    }

    /// One chunk in one transaction.
    fn chunk(&self, client: &mut Client, chunk: i32) -> Result<(), Failure> {
        let mut tx = client.transaction().map_err(failure)?;
        tx.query(crate::sql!("merge/settings.sql"), &[&self.own.timezone, &self.own.search_path]).map_err(failure)?;
        tx.query(crate::sql!("merge/call_merge.sql"), &[&chunk, &self.run, &self.by]).map_err(failure)?;
        tx.commit().map_err(failure)
    }
}

/// Makes the functions of the session that apply what is staged, check it and write it into the ledger.
pub fn functions(to: &mut impl Statements, targets: &[Target], search_path: &str) -> Result<()> {
    let between = between(targets);
    let tables = context! { tables => Value::from(Serde(targets)), between };
    run(to, crate::sql!("merge/signatures.sql"), tables.clone(), DOING)?;
    for target in targets {
        let this = Value::from(Serde(target));
        run(to, crate::sql!("merge/apply_table.sql"), this.clone(), DOING)?;
        if target.replay {
            run(to, crate::sql!("merge/update_table.sql"), this, DOING)?;
        }
    }
    run(to, crate::sql!("merge/apply.sql"), tables, DOING)?;
    record(to, targets, search_path)?;
    let assigned = targets.iter().filter(|t| !t.assigns.is_empty()).map(|target| {
        let assign = sql::render(crate::sql!("merge/assign.sql"), Value::from(Serde(target)))?;
        Ok(context! { replay => target.replay, assign })
    });
    let assigned = assigned.collect::<Result<Vec<Value>>>()?;
    let context = context! { tables => assigned, between, close_over => crate::sql!("merge/close_over.sql") };
    run(to, crate::sql!("merge/merge_chunk.sql"), context, DOING)
}

/// The function that writes outcomes into the ledger.
fn record(to: &mut impl Statements, targets: &[Target], search_path: &str) -> Result<()> {
    let mut tables: Vec<Value> = Vec::new();
    for target in targets {
        let part = |template| sql::render(template, Value::from(Serde(target)));
        let brought =
            if target.searches.is_empty() { String::new() } else { part(crate::sql!("merge/record_brought.sql"))? };
        let (held, merged) =
            (part(crate::sql!("merge/record_held.sql"))?, part(crate::sql!("merge/record_merged.sql"))?);
        tables.push(context! { no => target.no, brought, held, merged });
    }
    let (units, rest) = (crate::sql!("merge/record_units.sql"), crate::sql!("merge/record_rest.sql"));
    let context = context! { search_path, pins => crate::sql!("export/pins.sql"), units, rest, tables };
    run(to, crate::sql!("merge/record.sql"), context, DOING)
}

fn failure(e: tokio_postgres::Error) -> Failure {
    let again = matches!(
        e.code(),
        Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_SERIALIZATION_FAILURE)
    );
    (Err::<(), _>(e).cannot(DOING).err().unwrap_or_else(|| Error::failed(DOING, "unknown")), again)
}

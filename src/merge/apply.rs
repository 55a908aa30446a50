//! Applies staged units in chunks; the ledger is written in the same transaction (P7).
//!
//! Each change is guarded by what the standby knew, so nothing is overwritten that the primary changed since the plan was
//! made. A chunk is first tried set-wise; when anything does not fit, it is done again carefully, unit by unit: what cannot
//! be applied is held, with all that depends on it, and the rest goes in. References are checked by us, because under
//! replay the primary's own triggers are silent, and what was written is read back.

use super::stage;
use super::target::Target;
use crate::db::Client;
use crate::error::{Cannot, Error, Exit, Result};
use minijinja::value::Serde;
use minijinja::{Value, context};
use postgres::Transaction;
use postgres::error::SqlState;
use std::time::Duration;

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

/// A unit that must not be tried, and why.
#[derive(Debug, Clone)]
struct Held {
    u: i64,
    kind: String,
    reason: String,
    at_table: Option<i32>,
    at_seq: Option<i64>,
}

/// An error, and whether trying again may help.
type Failure = (Error, bool);

const DOING: &str = "merge the units";

impl Applying<'_> {
    /// Writes what the plan holds into the ledger, then applies everything else; `progress` is called with the chunks done.
    pub fn all(&self, client: &mut Client, chunks: i32, progress: impl Fn(i32)) -> Result<()> {
        let mut tx = client.transaction().cannot(DOING)?;
        self.record(&mut tx, 0)?;
        tx.commit().cannot(DOING)?;
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
        let retry = |e: postgres::Error| failure(e, DOING);
        let hard = |e: Error| (e, false);
        let mut tx = client.transaction().map_err(retry)?;
        tx.query(crate::sql!("merge/settings.sql"), &[&self.own.timezone, &self.own.search_path]).map_err(retry)?;
        let mut held: Vec<Held> = Vec::new();
        let mut careful = false;
        // Each careful round holds at least one unit more, so this ends.
        loop {
            let mut round = tx.savepoint("round").map_err(retry)?;
            for h in &held {
                round
                    .execute(crate::sql!("merge/hold.sql"), &[&h.u, &h.kind, &h.reason, &h.at_table, &h.at_seq])
                    .map_err(retry)?;
            }
            if !held.is_empty() {
                round.batch_execute(crate::sql!("merge/close_over.sql")).map_err(retry)?;
            }
            let apply =
                if careful { crate::sql!("merge/call_careful.sql") } else { crate::sql!("merge/call_plain.sql") };
            match round.query(apply, &[&chunk]) {
                Err(e) if !careful && is_conflict(&e) => {
                    careful = true;
                    log::info!("chunk {chunk} one by one: {}", crate::db::reason::of(&e).1);
                    round.rollback().map_err(retry)?;
                    continue;
                }
                other => other.map_err(retry)?,
            };
            if careful {
                round.batch_execute(crate::sql!("merge/close_over.sql")).map_err(retry)?;
            }
            let (now, undone) = all_held(&mut round, chunk).map_err(retry)?;
            self.assign(&mut round, chunk).map_err(hard)?;
            let wrong = Self::check(&mut round, chunk)?;
            if !undone && wrong.is_empty() {
                self.record(&mut round, chunk).map_err(hard)?;
                round.commit().map_err(retry)?;
                return tx.commit().map_err(retry);
            }
            round.rollback().map_err(retry)?;
            if careful {
                // Something was applied that must not be: again, without it from the start.
                held = now;
                held.extend(wrong);
            }
            // Set-wise, an order that does not matter to the plan may matter here: in their own order first.
            careful = true;
        }
    }

    /// Official numbers, once everything else stands.
    fn assign(&self, tx: &mut Transaction<'_>, chunk: i32) -> Result<()> {
        for target in self.targets.iter().filter(|t| !t.assigns.is_empty()) {
            let silent = if target.replay { "replica" } else { "origin" };
            tx.query(crate::sql!("merge/trigger_mode.sql"), &[&silent]).cannot(DOING)?;
            let context = context! { chunk, ..Value::from(Serde(target)) };
            stage::run(tx, crate::sql!("merge/assign.sql"), context, "give official numbers")?;
            tx.query(crate::sql!("merge/trigger_mode.sql"), &[&"origin"]).cannot(DOING)?;
        }
        Ok(())
    }

    /// Units whose references do not hold now, or that the primary does not hold as written.
    fn check(tx: &mut Transaction<'_>, chunk: i32) -> Result<Vec<Held>, Failure> {
        let rows = tx.query(crate::sql!("merge/call_check.sql"), &[&chunk]);
        let mut wrong: Vec<Held> = Vec::new();
        for row in rows.map_err(|e| failure(e, "check what was merged"))? {
            let u: i64 = row.get(0);
            if !wrong.iter().any(|h| h.u == u) {
                wrong.push(Held { u, kind: row.get(3), reason: row.get(4), at_table: row.get(2), at_seq: row.get(1) });
            }
        }
        Ok(wrong)
    }

    /// Writes outcomes into the ledger: of the applied units of the chunk, and of everything held that is not written yet.
    fn record(&self, tx: &mut Transaction<'_>, chunk: i32) -> Result<()> {
        let doing = "write the merge ledger";
        tx.batch_execute(crate::sql!("export/pins.sql")).cannot(doing)?;
        tx.query(crate::sql!("merge/own_path.sql"), &[&self.own.search_path]).cannot(doing)?;
        let range = context! { run => self.run, by => self.by, chunk };
        stage::run(tx, crate::sql!("merge/record_units.sql"), range, doing)?;
        let needs = tx.query_one(crate::sql!("merge/record_needs.sql"), &[]).cannot(doing)?;
        let (held, given): (bool, Vec<i32>) = (needs.get(0), needs.get(1));
        for target in self.targets {
            let this = Value::from(Serde(target));
            if !target.searches.is_empty() {
                stage::run(tx, crate::sql!("merge/record_brought.sql"), this.clone(), doing)?;
            }
            if held {
                stage::run(tx, crate::sql!("merge/record_held.sql"), this.clone(), doing)?;
            }
            if i32::try_from(target.no).is_ok_and(|no| given.contains(&no)) {
                stage::run(tx, crate::sql!("merge/record_merged.sql"), this, doing)?;
            }
        }
        tx.query(crate::sql!("merge/reconcile/call_note_values.sql"), &[&chunk]).cannot(doing)?;
        tx.batch_execute(crate::sql!("merge/record_rest.sql")).cannot(doing)
    }
}

fn failure(e: postgres::Error, doing: &str) -> Failure {
    let again = matches!(
        e.code(),
        Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_SERIALIZATION_FAILURE)
    );
    (Err::<(), _>(e).cannot(doing).err().unwrap_or_else(|| Error::failed(doing, "unknown")), again)
}

/// Everything of the chunk that is held so far, and whether any of it has been applied in this round.
fn all_held(tx: &mut Transaction<'_>, chunk: i32) -> Result<(Vec<Held>, bool), postgres::Error> {
    let rows = tx.query(crate::sql!("merge/held.sql"), &[&chunk])?;
    let undone = rows.iter().any(|r| r.get::<_, bool>(5));
    let held = rows.iter().map(|r| Held {
        u: r.get(0),
        kind: r.get(1),
        reason: r.get(2),
        at_table: r.get(3),
        at_seq: r.get(4),
    });
    Ok((held.collect(), undone))
}

/// A refusal that belongs to a unit, not to the server or the connection.
fn is_conflict(error: &postgres::Error) -> bool {
    error.code().is_some_and(|c| {
        let code = c.code();
        !["40", "53", "55", "57", "58", "08", "XX"].contains(&&code[..2]) && code != "42501"
    }) && crate::db::reason::of(error).0 != Exit::Unreachable
}

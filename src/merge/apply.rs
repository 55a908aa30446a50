//! Applies staged units in chunks; the ledger is written in the same transaction (P7).
//!
//! Units are applied in the order they were done, each change guarded by what the standby knew, so nothing is
//! overwritten that the primary changed meanwhile. A chunk is first tried plainly; when anything does not fit, it is
//! done again carefully: what cannot be applied is held, with all that depends on it, and the rest goes in. References
//! are checked by us, because under replay the primary's own triggers are silent, and what was written is read back.

use super::stage::{self, Staged};
use super::target::Target;
use crate::catalog::Catalog;
use crate::db::{Client, sql};
use crate::error::{Cannot, Error, Exit, Result};
use crate::queue::Batch;
use minijinja::value::Serde;
use minijinja::{Value, context};
use postgres::Transaction;
use postgres::error::SqlState;
use std::time::Duration;

/// Units of one transaction. Small enough that no window of the primary waits long for a row it shares with a chunk.
const CHUNK: i64 = 500;
/// A chunk that loses a deadlock or a lock wait against a window is tried again this often.
const TRIES: u32 = 8;

/// The database's own settings, under which the HIS's functions, checks and defaults run.
#[derive(Debug, Clone)]
pub struct Own {
    pub timezone: String,
    pub search_path: String,
}

/// One batch on its way into the primary.
pub struct Applying<'a> {
    pub batch: &'a Batch,
    pub targets: &'a [Target],
    pub catalog: &'a Catalog,
    pub own: &'a Own,
    pub run: i64,
}

/// A unit that must not be tried, and why.
#[derive(Debug, Clone)]
struct Held {
    xid: i64,
    kind: String,
    reason: String,
    at_table: Option<i32>,
    at_seq: Option<i64>,
}

impl Applying<'_> {
    /// Applies everything that is staged; `progress` is called with the number of units done.
    pub fn all(&self, client: &mut Client, staged: Staged, progress: impl Fn(u64)) -> Result<()> {
        let (mut first, mut careful) = (1, false);
        while first <= staged.last_pos {
            let last = (first + CHUNK - 1).min(staged.last_pos);
            let mut tries = 0;
            careful = loop {
                match self.chunk(client, first, last, careful) {
                    Ok(careful) => break careful,
                    Err((error, true)) if tries < TRIES => {
                        tries += 1;
                        log::info!("chunk {first}..{last} gave way to a window ({error}); trying again");
                        std::thread::sleep(Duration::from_millis(100 * u64::from(tries)));
                    }
                    Err((error, true)) => {
                        return Err(error.hint("windows of the primary hold rows that the merge needs; run his-merge again, it goes on where it stopped."));
                    }
                    Err((error, false)) => return Err(error),
                }
            };
            progress(u64::try_from(last).unwrap_or(0));
            first = last + 1;
        }
        Ok(())
    }

    /// One chunk in one transaction. Gives whether it needed care; an error says whether trying again may help.
    fn chunk(&self, client: &mut Client, first: i64, last: i64, careful: bool) -> Result<bool, (Error, bool)> {
        let doing = || format!("merge batch {} of '{}'", self.batch.manifest.batch, self.batch.manifest.event);
        let retry = |e: postgres::Error| {
            let again = matches!(
                e.code(),
                Some(
                    &SqlState::T_R_DEADLOCK_DETECTED
                        | &SqlState::LOCK_NOT_AVAILABLE
                        | &SqlState::T_R_SERIALIZATION_FAILURE
                )
            );
            (Err::<(), _>(e).cannot(doing()).err().unwrap_or_else(|| Error::failed(doing(), "unknown")), again)
        };
        let hard = |e: Error| (e, false);
        let mut tx = client.transaction().map_err(retry)?;
        tx.query(crate::sql!("merge/settings.sql"), &[&self.own.timezone, &self.own.search_path]).map_err(retry)?;
        let mut held: Vec<Held> = Vec::new();
        let mut careful = careful;
        // Each round holds at least one unit more, so this ends.
        for _ in 0..=2 * CHUNK {
            let mut round = tx.savepoint("round").map_err(retry)?;
            for h in &held {
                round
                    .execute(crate::sql!("merge/hold.sql"), &[&h.xid, &h.kind, &h.reason, &h.at_table, &h.at_seq])
                    .map_err(retry)?;
            }
            round.batch_execute(crate::sql!("merge/close_over.sql")).map_err(retry)?;
            let apply =
                if careful { crate::sql!("merge/call_careful.sql") } else { crate::sql!("merge/call_plain.sql") };
            match round.query(apply, &[&first, &last]) {
                Err(e) if !careful && is_conflict(&e) => {
                    careful = true;
                    round.rollback().map_err(retry)?;
                    continue;
                }
                other => other.map_err(retry)?,
            };
            round.batch_execute(crate::sql!("merge/close_over.sql")).map_err(retry)?;
            let (now, undone) = all_held(&mut round).map_err(retry)?;
            let wrong = self.check(&mut round, first, last)?;
            if !undone && wrong.is_empty() {
                self.record(&mut round, first, last).map_err(hard)?;
                round.commit().map_err(retry)?;
                tx.commit().map_err(retry)?;
                return Ok(careful && !now.is_empty());
            }
            // Something was applied that must not be: again, without it from the start.
            careful = true;
            held = now;
            held.extend(wrong);
            round.rollback().map_err(retry)?;
        }
        Err((Error::failed(doing(), "no set of units was found that can be merged"), false))
    }

    /// Units whose references do not hold now, or that the primary does not hold as written.
    fn check(&self, tx: &mut Transaction<'_>, first: i64, last: i64) -> Result<Vec<Held>, (Error, bool)> {
        let mut wrong: Vec<Held> = Vec::new();
        let mut ask = |text: String, kind: &str, reason: String, table: usize| -> Result<(), (Error, bool)> {
            let rows = tx.query(&text, &[]).map_err(|e| {
                let again = matches!(e.code(), Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::LOCK_NOT_AVAILABLE));
                (
                    Err::<(), _>(e)
                        .cannot("check what was merged")
                        .err()
                        .unwrap_or_else(|| Error::failed("check what was merged", "unknown")),
                    again,
                )
            })?;
            for row in rows {
                let xid: i64 = row.get(0);
                if !wrong.iter().any(|h| h.xid == xid) {
                    let at_table = i32::try_from(table).ok();
                    wrong.push(Held {
                        xid,
                        kind: kind.to_owned(),
                        reason: reason.clone(),
                        at_table,
                        at_seq: row.get(1),
                    });
                }
            }
            Ok(())
        };
        for target in self.targets {
            for (text, reason) in self.reference_checks(target, first, last).map_err(|e| (e, false))? {
                ask(text, "parent", reason, target.no)?;
            }
            let context = context! { first, last, ..Value::from(Serde(target)) };
            let text = sql::render(crate::sql!("merge/read_back.sql"), context).map_err(|e| (e, false))?;
            ask(
                text,
                "rule",
                "the primary does not keep what was written (a trigger or rule there changes it)".to_owned(),
                target.no,
            )?;
        }
        Ok(wrong)
    }

    fn reference_checks(&self, target: &Target, first: i64, last: i64) -> Result<Vec<(String, String)>> {
        let mut checks = Vec::new();
        let Some(table) = self.catalog.get(&target.of) else { return Ok(checks) };
        for key in &table.foreign_keys {
            let Some(columns) = target.keys(&key.columns) else { continue };
            let context = context! {
                first, last, columns => Value::from(Serde(&columns)), to_table => key.to().sql(), to_columns => key.to_columns.clone(),
                ..Value::from(Serde(target))
            };
            checks.push((
                sql::render(crate::sql!("merge/check_child.sql"), context)?,
                format!("foreign key {}", key.name),
            ));
        }
        for (from, key) in self.catalog.references_to(&target.of) {
            let Some(columns) = target.keys(&key.to_columns) else { continue };
            let context = context! {
                first, last, columns => Value::from(Serde(&columns)), from_table => from.name.sql(), from_columns => key.columns.clone(),
                ..Value::from(Serde(target))
            };
            checks.push((
                sql::render(crate::sql!("merge/check_parent.sql"), context)?,
                format!("foreign key {} of {}", key.name, from.name),
            ));
        }
        Ok(checks)
    }

    /// Writes the chunk's outcome into the ledger.
    fn record(&self, tx: &mut Transaction<'_>, first: i64, last: i64) -> Result<()> {
        let m = &self.batch.manifest;
        let doing = format!("write batch {} of '{}' into the ledger", m.batch, m.event);
        let range = context! { event => m.event.clone(), batch => m.batch, run => self.run, first, last };
        stage::run(tx, crate::sql!("merge/record_units.sql"), range.clone(), &doing)?;
        stage::run(tx, crate::sql!("merge/record_depends.sql"), range.clone(), &doing)?;
        for target in self.targets {
            stage::run(
                tx,
                crate::sql!("merge/record_table.sql"),
                context! { ..range.clone(), ..Value::from(Serde(target)) },
                &doing,
            )?;
        }
        Ok(())
    }
}

/// Everything held so far, and whether any of it has been applied in this round.
fn all_held(tx: &mut Transaction<'_>) -> Result<(Vec<Held>, bool), postgres::Error> {
    let rows = tx.query(crate::sql!("merge/held.sql"), &[])?;
    let undone = rows.iter().any(|r| r.get::<_, bool>(5));
    let held = rows.iter().map(|r| Held {
        xid: r.get(0),
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

//! The ledger on the primary: which units are merged, held or rejected. What it says is what is true.

use crate::db::Client;
use crate::error::{Cannot, Result};
use crate::formats::batch::{Closing, Money, Totals};
use crate::queue::Batch;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;

/// Makes the ledger when it is not there; leaves it alone when it is, because that needs no right to create. One that an
/// earlier version made gets what it lacks.
pub fn ensure(client: &mut Client) -> Result<()> {
    if is_there(client)? {
        return client
            .batch_execute(crate::sql!("merge/ledger_later.sql"))
            .cannot("bring the merge ledger on the primary up to this version");
    }
    let doing = "make the merge ledger on the primary";
    let mut tx = client.transaction().cannot(doing)?;
    // What is made there is made by one at a time: another site may be putting its fence on, or merging for the first time.
    tx.query(crate::sql!("switch/fence_lock.sql"), &[]).cannot(doing)?;
    tx.batch_execute(crate::sql!("merge/ledger.sql")).cannot(doing)?;
    tx.commit().cannot(doing)
}

/// True when this primary has a ledger.
pub fn is_there(client: &mut Client) -> Result<bool> {
    let row = client.query_one(crate::sql!("merge/ledger_there.sql"), &[]).cannot("look for the merge ledger")?;
    Ok(row.get(0))
}

/// The last run that the ledger knows.
pub fn last_run(client: &mut Client) -> Result<u64> {
    let row = client.query_one(crate::sql!("merge/state.sql"), &[]).cannot("read the merge ledger")?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}

/// A batch that the ledger has.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub batch: u64,
    pub sha256: String,
    pub totals: Totals,
    pub closing: Option<Closing>,
}

/// Batches of `event` that are wholly in the ledger.
pub fn batches(client: &mut Client, event: &str) -> Result<Vec<Recorded>> {
    let rows = client.query(crate::sql!("merge/batches.sql"), &[&event]).cannot("read the merge ledger")?;
    rows.iter()
        .map(|row| {
            let closing: Option<&str> = row.get(3);
            Ok(Recorded {
                batch: u64::try_from(row.get::<_, i64>(0)).unwrap_or(0),
                sha256: row.get(1),
                totals: serde_json::from_str(row.get(2)).cannot("understand the merge ledger")?,
                closing: closing.map(serde_json::from_str).transpose().cannot("understand the merge ledger")?,
            })
        })
        .collect()
}

/// Notes that all units of the batch are in the ledger.
pub fn record_batch(client: &mut Client, batch: &Batch, run: i64) -> Result<()> {
    let m = &batch.manifest;
    let number = i64::try_from(m.batch).unwrap_or(i64::MAX);
    let totals = serde_json::to_string(&m.totals).cannot("write the totals")?;
    let closing = m.closing.as_ref().map(serde_json::to_string).transpose().cannot("write the closing record")?;
    client
        .execute(crate::sql!("merge/record_batch.sql"), &[&m.event, &number, &batch.sha256, &totals, &closing, &run])
        .cannot(format!("record batch {number} of '{}' in the ledger", m.event))
        .map(drop)
}

/// A count for each outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    pub captured: u64,
    pub merged: u64,
    pub held: u64,
    pub rejected: u64,
}

/// Units in the ledger by outcome, over all events.
pub fn counts(client: &mut Client) -> Result<Counts> {
    let row = client.query_one(crate::sql!("merge/counts.sql"), &[]).cannot("read the merge ledger")?;
    Ok(Counts { captured: 0, merged: count(row.get(0)), held: count(row.get(1)), rejected: count(row.get(2)) })
}

/// A sum for each outcome, of one money column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoneyCounts {
    pub table: String,
    pub column: String,
    pub captured: Decimal,
    pub merged: Decimal,
    pub held: Decimal,
    pub rejected: Decimal,
}

/// The account of one event: what was captured, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    pub units: Counts,
    pub rows: Counts,
    pub money: Vec<MoneyCounts>,
    pub closed: bool,
    pub balanced: bool,
}

/// What became of the units of an event, as the ledger counts them.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    /// Outcome, units, rows.
    pub counts: Vec<(String, u64, u64)>,
    /// Table, column, outcome, sum.
    pub money: Vec<(String, String, String, Decimal)>,
}

/// Draws up the account of `event`: captured by the manifests (`captured`), the rest by the ledger.
pub fn account(client: &mut Client, event: &str, captured: &Totals, closing: Option<&Closing>) -> Result<Account> {
    let doing = "read the merge ledger";
    let mut outcomes = Outcomes::default();
    if is_there(client)? {
        for row in client.query(crate::sql!("merge/totals.sql"), &[&event]).cannot(doing)? {
            outcomes.counts.push((row.get(0), count(row.get(1)), count(row.get(2))));
        }
        for row in client.query(crate::sql!("merge/money_totals.sql"), &[&event]).cannot(doing)? {
            let sum = row.get::<_, &str>(3).parse().map_err(|e| crate::Error::failed(doing, e))?;
            outcomes.money.push((row.get(0), row.get(1), row.get(2), sum));
        }
    }
    Ok(draw_up(captured, closing, &outcomes))
}

/// Sets what was captured against what became of it.
#[must_use]
pub fn draw_up(captured: &Totals, closing: Option<&Closing>, outcomes: &Outcomes) -> Account {
    let mut account = Account { closed: closing.is_some(), ..Account::default() };
    (account.units.captured, account.rows.captured) = (captured.units, captured.rows);
    for (status, units, rows) in &outcomes.counts {
        let (u, r) = (&mut account.units, &mut account.rows);
        let place = match status.as_str() {
            "merged" => (&mut u.merged, &mut r.merged),
            "held" => (&mut u.held, &mut r.held),
            _ => (&mut u.rejected, &mut r.rejected),
        };
        (*place.0, *place.1) = (*units, *rows);
    }
    let mut money: BTreeMap<(String, String), MoneyCounts> = BTreeMap::new();
    let mut add = |table: &str, column: &str, status: &str, sum: Decimal| {
        let entry = money.entry((table.to_owned(), column.to_owned())).or_insert_with(|| MoneyCounts {
            table: table.to_owned(),
            column: column.to_owned(),
            captured: Decimal::ZERO,
            merged: Decimal::ZERO,
            held: Decimal::ZERO,
            rejected: Decimal::ZERO,
        });
        *match status {
            "captured" => &mut entry.captured,
            "merged" => &mut entry.merged,
            "held" => &mut entry.held,
            _ => &mut entry.rejected,
        } += sum;
    };
    for Money { table, column, sum } in &captured.money {
        add(table, column, "captured", *sum);
    }
    for (table, column, status, sum) in &outcomes.money {
        add(table, column, status, *sum);
    }
    account.money = money.into_values().collect();
    let counts = |c: &Counts| c.captured == c.merged + c.held + c.rejected;
    account.balanced = counts(&account.units)
        && counts(&account.rows)
        && account.money.iter().all(|m| m.captured == m.merged + m.held + m.rejected)
        && closing.is_none_or(|c| c.totals.equals(captured));
    account
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

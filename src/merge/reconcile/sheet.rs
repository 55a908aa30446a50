//! The three-way sheet: captured by what the batches hold, against merged, held and rejected, against what the primary holds.

use super::differences::Row;
use crate::db::Transaction;
use crate::error::{Cannot, Error, Result};
use crate::merge::{Account, Counts};
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;

/// Which way the money went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Charge,
    Refund,
}

/// One money column of one group, charges and refunds apart: sums of new minus old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub table: String,
    pub column: String,
    /// `pay_method=CASH`; empty when the table has no groups.
    pub group: String,
    pub kind: Kind,
    pub captured: Decimal,
    pub merged: Decimal,
    pub held: Decimal,
    pub rejected: Decimal,
    /// What of `merged` the primary holds now: more or less by the differences found.
    pub primary: Decimal,
}

/// Everything that was captured, recomputed from the batches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sheet {
    pub units: Counts,
    pub rows: Counts,
    pub lines: Vec<Line>,
}

/// Captured, merged, held and rejected: as counted in the batches, and as manifests and ledger say.
#[derive(Default)]
struct TwoSides {
    counted: [Decimal; 4],
    said: [Decimal; 4],
}

type Place = (String, String, String, Kind);

impl Sheet {
    /// Reads what was staged of `event`.
    pub fn read(tx: &mut Transaction<'_>, event: &str) -> Result<Sheet> {
        let doing = "count what was captured";
        let mut sheet = Sheet::default();
        for row in tx.query(crate::sql!("merge/reconcile/units.sql"), &[&event]).cannot(doing)? {
            count(&mut sheet.units, row.get(0), row.get(1));
        }
        for row in tx.query(crate::sql!("merge/reconcile/counts.sql"), &[]).cannot(doing)? {
            count(&mut sheet.rows, row.get(1), row.get(2));
        }
        let mut lines: BTreeMap<Place, Line> = BTreeMap::new();
        for row in tx.query(crate::sql!("merge/reconcile/flows.sql"), &[]).cannot(doing)? {
            let kind = if row.get::<_, &str>(3) == "refund" { Kind::Refund } else { Kind::Charge };
            let place: Place = (row.get(0), row.get(1), row.get(2), kind);
            let amount: Decimal = row.get::<_, &str>(5).parse().map_err(|e| Error::failed(doing, e))?;
            let line = lines.entry(place.clone()).or_insert_with(|| empty(place));
            line.captured += amount;
            match row.get::<_, &str>(4) {
                "merged" => {
                    line.merged += amount;
                    line.primary += amount;
                }
                "held" => line.held += amount,
                "rejected" => line.rejected += amount,
                // In a batch that is not merged yet.
                _ => {}
            }
        }
        sheet.lines = lines.into_values().collect();
        Ok(sheet)
    }

    /// Sets what the primary holds more or less than was merged.
    pub fn read_back(&mut self, rows: &[Row]) {
        for row in rows {
            for (table, column, group, expected, delta) in row.moves() {
                if delta.is_zero() {
                    continue;
                }
                let kind = if expected.is_sign_negative() && !expected.is_zero() { Kind::Refund } else { Kind::Charge };
                let place = (table, column, group, kind);
                let same = |l: &Line| (&l.table, &l.column, &l.group, l.kind) == (&place.0, &place.1, &place.2, kind);
                let at = self.lines.iter().position(same).unwrap_or_else(|| {
                    self.lines.push(empty(place.clone()));
                    self.lines.len() - 1
                });
                self.lines[at].primary += delta;
            }
        }
        self.lines
            .sort_by(|a, b| (&a.table, &a.column, &a.group, a.kind).cmp(&(&b.table, &b.column, &b.group, b.kind)));
    }

    /// Sums over the groups: charges and refunds of one money column.
    #[must_use]
    pub fn totals(&self) -> Vec<Line> {
        let mut totals: BTreeMap<Place, Line> = BTreeMap::new();
        for line in &self.lines {
            let place: Place = (line.table.clone(), line.column.clone(), String::new(), line.kind);
            let total = totals.entry(place.clone()).or_insert_with(|| empty(place));
            total.captured += line.captured;
            total.merged += line.merged;
            total.held += line.held;
            total.rejected += line.rejected;
            total.primary += line.primary;
        }
        totals.into_values().collect()
    }

    /// Every way in which batches, manifests and ledger do not say the same. Empty: it balances.
    pub fn faults(&self, account: &Account) -> Vec<String> {
        let mut faults = Vec::new();
        for (what, counted, said) in [("units", self.units, account.units), ("rows", self.rows, account.rows)] {
            let counted = [counted.captured, counted.merged, counted.held, counted.rejected].map(Decimal::from);
            let said = [said.captured, said.merged, said.held, said.rejected].map(Decimal::from);
            compare(what, &counted, &said, &mut faults);
        }
        let mut columns: BTreeMap<(&str, &str), TwoSides> = BTreeMap::new();
        for l in &self.lines {
            let sides = columns.entry((&l.table, &l.column)).or_default();
            for (sum, more) in sides.counted.iter_mut().zip([l.captured, l.merged, l.held, l.rejected]) {
                *sum += more;
            }
        }
        for m in &account.money {
            columns.entry((&m.table, &m.column)).or_default().said = [m.captured, m.merged, m.held, m.rejected];
        }
        for ((table, column), sides) in columns {
            compare(&format!("{table} {column}"), &sides.counted, &sides.said, &mut faults);
        }
        faults
    }
}

/// Compares captured, merged, held and rejected as counted in the batches with what manifests and ledger say.
fn compare(what: &str, counted: &[Decimal; 4], said: &[Decimal; 4], faults: &mut Vec<String>) {
    if counted[0] != said[0] {
        faults.push(format!("{what}: the batches hold {}, their manifests say {}", counted[0], said[0]));
    }
    for (name, (counted, said)) in ["merged", "held", "rejected"].into_iter().zip(counted.iter().zip(said).skip(1)) {
        if counted != said {
            faults.push(format!("{what} {name}: the batches' units come to {counted}, the ledger says {said}"));
        }
    }
    let [captured, merged, held, rejected] = counted;
    if *captured != merged + held + rejected {
        faults.push(format!("{what}: captured {captured} is not merged {merged} + held {held} + rejected {rejected}"));
    }
}

fn empty((table, column, group, kind): Place) -> Line {
    let zero = Decimal::ZERO;
    Line { table, column, group, kind, captured: zero, merged: zero, held: zero, rejected: zero, primary: zero }
}

fn count(counts: &mut Counts, status: &str, n: i64) {
    let n = u64::try_from(n).unwrap_or(0);
    counts.captured += n;
    match status {
        "merged" => counts.merged += n,
        "held" => counts.held += n,
        "rejected" => counts.rejected += n,
        _ => {}
    }
}

//! `manifest.json` of a batch of the queue.

use crate::catalog;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub const FORMAT: u32 = 1;
/// One line a unit: who, when, how many rows.
pub const UNITS_FILE: &str = "units.csv";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    /// `<site>-<epoch>`, or `<site>-D<n>` for a drill.
    pub event: String,
    pub epoch: u64,
    /// A drill's units can never be merged.
    pub drill: bool,
    /// 1, 2, 3 … within the event.
    pub batch: u64,
    /// SHA-256 of the SHA256SUMS of the batch before; of the snapshot's for batch 1.
    pub previous: String,
    pub generation: u64,
    pub snapshot: String,
    pub standby_system_identifier: String,
    pub primary_system_identifier: String,
    pub exported_at: DateTime<Utc>,
    pub by: String,
    pub host: String,
    pub totals: Totals,
    pub tables: Vec<Table>,
    pub numbers: Vec<Number>,
    /// Only in the last batch of an event.
    pub closing: Option<Closing>,
}

/// Units, captured row changes, and for each money column the sum of new minus old.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    pub units: u64,
    pub rows: u64,
    pub money: Vec<Money>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    pub table: String,
    pub column: String,
    /// A decimal string.
    pub sum: Decimal,
}

impl Totals {
    /// What is read from a file may be anything; counts and sums within these bounds can be added for as many batches as
    /// an event can have.
    #[must_use]
    pub fn are_possible(&self) -> bool {
        let most = Decimal::from(10_u64.pow(12)) * Decimal::from(10_u64.pow(11));
        [self.units, self.rows].iter().all(|count| *count < 1 << 48) && self.money.iter().all(|m| m.sum.abs() < most)
    }

    /// Adds what another batch counted.
    pub fn add(&mut self, other: &Totals) {
        self.units += other.units;
        self.rows += other.rows;
        for money in &other.money {
            match self.money.iter_mut().find(|m| m.table == money.table && m.column == money.column) {
                Some(mine) => mine.sum += money.sum,
                None => self.money.push(money.clone()),
            }
        }
    }

    /// The same counts and sums, whatever the order and however the decimals are scaled; a missing column counts 0.
    #[must_use]
    pub fn equals(&self, other: &Totals) -> bool {
        let sum = |t: &Totals, m: &Money| {
            t.money.iter().find(|x| x.table == m.table && x.column == m.column).map_or(Decimal::ZERO, |x| x.sum)
        };
        self.units == other.units
            && self.rows == other.rows
            && self.money.iter().chain(&other.money).all(|m| sum(self, m) == sum(other, m))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    pub table: catalog::Name,
    pub file: String,
    /// Captured changes in the file.
    pub rows: u64,
    /// Of the CSV before encryption.
    pub sha256: String,
    /// Columns of the row, in order; the file has `old.<name>` for each, then `new.<name>` for each.
    pub columns: Vec<Column>,
    pub key: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub name: String,
    /// The base type on the standby, beneath domains.
    #[serde(rename = "type")]
    pub type_name: String,
}

/// How far an emergency number block had been used when this batch was exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    pub sequence: catalog::Name,
    /// Highest number handed out; `None` when none was.
    pub last: Option<i64>,
}

/// The event's own count of everything it captured: what all its batches together must come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    pub closed_at: DateTime<Utc>,
    pub batches: u64,
    pub totals: Totals,
}

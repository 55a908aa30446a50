//! What the primary holds otherwise than it was merged, row by row, and which of that a person has found to be lawful.

use super::values::{self, Compared};
use crate::db::Transaction;
use crate::db::{Client, sql};
use crate::error::{Cannot, Error, Result};
use crate::merge::target::Target;
use chrono::{DateTime, Utc};
use minijinja::value::Serde;
use minijinja::{Value as Data, context};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One merged row that the primary holds otherwise.
#[derive(Debug, Clone)]
pub struct Row {
    table: String,
    /// JSON object of the key's columns, as the ledger writes it.
    key: String,
    /// The row should be there, and is.
    wanted: bool,
    found: bool,
    columns: Vec<Compared>,
    expected: Vec<String>,
    actual: Vec<String>,
    group_columns: Vec<String>,
}

/// Somebody has said that a difference is lawful.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accepted {
    pub by: String,
    pub at: DateTime<Utc>,
    pub why: String,
}

/// One column of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The same in every run.
    pub id: i64,
    pub table: String,
    pub column: String,
    /// As in the sheet.
    pub group: String,
    pub key: Value,
    /// `None`: no row.
    pub expected: Option<String>,
    pub found: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
}

/// Compares every merged row of the staged event with the primary's.
pub fn compare(tx: &mut Transaction<'_>, targets: &[Target]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for target in targets.iter().filter(|t| !t.money.is_empty()) {
        let doing = || format!("compare '{}' with the primary", target.name);
        let columns = values::compared(target);
        let context = context! { values => Data::from(Serde(&columns)), ..Data::from(Serde(target)) };
        let text = sql::render(crate::sql!("merge/reconcile/compare.sql"), context)?;
        for row in tx.query(&text, &[]).cannot(doing())? {
            let texts = |at: usize| -> Vec<String> {
                row.get::<_, Vec<Option<String>>>(at).into_iter().map(Option::unwrap_or_default).collect()
            };
            rows.push(Row {
                table: target.name.clone(),
                key: row.get(0),
                wanted: row.get(1),
                found: row.get(2),
                columns: columns.clone(),
                expected: texts(3),
                actual: texts(4),
                group_columns: target.group.iter().map(|g| g.name.clone()).collect(),
            });
        }
    }
    Ok(rows)
}

impl Row {
    /// The group that values of the row put it into.
    fn group(&self, values: &[String]) -> String {
        let value = |name: &String| {
            self.columns.iter().position(|c| c.name == *name).and_then(|at| values.get(at)).cloned().unwrap_or_default()
        };
        self.group_columns.iter().map(|g| format!("{g}={}", value(g))).collect::<Vec<_>>().join(", ")
    }

    fn groups(&self) -> (String, String) {
        let expected = if self.wanted { self.group(&self.expected) } else { self.group(&self.actual) };
        // A stamped or official column only names the group; it does not move the row.
        let mut actual = self.actual.clone();
        for (at, c) in self.columns.iter().enumerate().filter(|(_, c)| !c.kept) {
            if let (Some(actual), Some(expected)) = (actual.get_mut(at), self.expected.get(at).filter(|_| !c.money)) {
                actual.clone_from(expected);
            }
        }
        let found = if self.found { self.group(&actual) } else { expected.clone() };
        (expected, found)
    }

    /// What the sheet's lines gain or lose by this row: table, column, group, the amount that was expected, and the change.
    pub fn moves(&self) -> Vec<(String, String, String, Decimal, Decimal)> {
        let mut moves = Vec::new();
        let (expected_group, found_group) = self.groups();
        for (at, column) in self.columns.iter().enumerate().filter(|(_, c)| c.money && c.kept) {
            let number = |there: bool, list: &[String]| {
                if there { list.get(at).and_then(|t| t.parse().ok()).unwrap_or(Decimal::ZERO) } else { Decimal::ZERO }
            };
            let (expected, actual) = (number(self.wanted, &self.expected), number(self.found, &self.actual));
            let mut add = |group: &str, of: Decimal, delta: Decimal| {
                moves.push((self.table.clone(), column.name.clone(), group.to_owned(), of, delta));
            };
            if expected_group == found_group {
                add(&expected_group, if self.wanted { expected } else { actual }, actual - expected);
            } else {
                add(&expected_group, expected, -expected);
                add(&found_group, actual, actual);
            }
        }
        moves
    }

    /// One entry for each column that differs. Of a row that is missing, or that should not be there: its amounts.
    fn entries(&self) -> Vec<Difference> {
        let (group, _) = self.groups();
        let number = |list: &[String], at: usize| -> Decimal {
            list.get(at).and_then(|t| t.parse().ok()).unwrap_or(Decimal::ZERO)
        };
        let differs = |at: usize, c: &Compared| match (self.wanted, self.found) {
            (true, true) if c.money => number(&self.expected, at) != number(&self.actual, at),
            (true, true) => self.expected.get(at) != self.actual.get(at),
            (true, false) => c.money && !number(&self.expected, at).is_zero(),
            _ => c.money && !number(&self.actual, at).is_zero(),
        };
        let mut found: Vec<usize> =
            self.columns.iter().enumerate().filter(|(at, c)| c.kept && differs(*at, c)).map(|(at, _)| at).collect();
        if found.is_empty() && self.wanted && !self.found {
            // A row without an amount is a row all the same.
            found.extend(self.columns.first().map(|_| 0));
        }
        let text = |there: bool, list: &[String], at: usize| list.get(at).filter(|_| there).cloned();
        found
            .into_iter()
            .map(|at| Difference {
                id: 0,
                table: self.table.clone(),
                column: self.columns[at].name.clone(),
                group: group.clone(),
                key: serde_json::from_str(&self.key).unwrap_or_else(|_| Value::from(self.key.clone())),
                expected: text(self.wanted, &self.expected, at),
                found: text(self.found, &self.actual, at),
                accepted: None,
            })
            .collect()
    }
}

/// The differences of `rows`, each with the number that it keeps in the ledger, and with its acceptance when what was accepted
/// is what is found now.
pub fn numbered(client: &mut Client, event: &str, rows: &[Row]) -> Result<Vec<Difference>> {
    let doing = "number the differences in the ledger";
    let mut list: Vec<(String, Difference)> =
        rows.iter().flat_map(|r| r.entries().into_iter().map(|d| (r.key.clone(), d))).collect();
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let tables: Vec<&str> = list.iter().map(|(_, d)| d.table.as_str()).collect();
    let keys: Vec<&str> = list.iter().map(|(key, _)| key.as_str()).collect();
    let columns: Vec<&str> = list.iter().map(|(_, d)| d.column.as_str()).collect();
    client
        .execute(crate::sql!("merge/reconcile/new_difference.sql"), &[&event, &tables, &keys, &columns])
        .cannot(doing)?;
    let place = |(key, d): &(String, Difference)| (d.table.clone(), key.clone(), d.column.clone());
    let places: BTreeMap<_, usize> = list.iter().enumerate().map(|(at, entry)| (place(entry), at)).collect();
    let known = client.query(crate::sql!("merge/reconcile/differences.sql"), &[&event]).cannot(doing)?;
    for row in known {
        let Some(at) = places.get(&(row.get(1), row.get(2), row.get(3))) else { continue };
        let d = &mut list[*at].1;
        d.id = row.get(0);
        let same = |now: &Option<String>, then: Option<&str>| match (now, then) {
            (Some(now), Some(then)) => {
                let amount = |t: &str| t.parse::<Decimal>().ok();
                now == then || amount(now).is_some() && amount(now) == amount(then)
            }
            (now, then) => now.as_deref() == then,
        };
        if row.get(4) && same(&d.expected, row.get(5)) && same(&d.found, row.get(6)) {
            d.accepted = Some(Accepted { by: row.get(7), at: row.get(8), why: row.get(9) });
        }
    }
    let mut list: Vec<Difference> = list.into_iter().map(|(_, d)| d).collect();
    list.sort_by_key(|d| d.id);
    Ok(list)
}

/// Records that these differences are lawful. One that is not open is wrong use; one that was accepted before stays so.
pub fn accept(client: &mut Client, by: &str, list: &mut [Difference], ids: &[i64], why: &str) -> Result<Vec<i64>> {
    let mut accepted = Vec::new();
    for id in ids {
        let doing = || format!("accept the difference '{id}'");
        if !list.iter().any(|d| d.id == *id) {
            return Err(Error::usage(doing(), "there is no such difference now")
                .hint("his-merge reconcile lists the differences with their numbers."));
        }
    }
    let mut tx = client.transaction().cannot("accept the differences")?;
    for d in list.iter_mut().filter(|d| ids.contains(&d.id) && d.accepted.is_none()) {
        let doing = || format!("accept the difference '{}'", d.id);
        tx.execute(
            crate::sql!("merge/reconcile/accept.sql"),
            &[&d.id, &d.expected, &d.found, &by, &crate::store::host(), &why],
        )
        .cannot(doing())?;
        d.accepted = Some(Accepted { by: by.to_owned(), at: Utc::now(), why: why.to_owned() });
        accepted.push(d.id);
    }
    tx.commit().cannot("accept the differences")?;
    Ok(accepted)
}

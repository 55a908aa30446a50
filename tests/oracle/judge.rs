//! Compares what the programs made of a world with what the oracle says.

use super::brute::{DEPENDS, Kinds, Merging, Unit};
use super::history::{BATCHES, Case, Played};
use super::schema::SCHEMA;
use super::server::{Row, Value, cents, key_of};
use super::world::{Found, Plan, World, expected_rows, of_place};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the oracle says of one case under a plan.
pub fn expected(case: &Case, played: &Played, plan: &Plan) -> Merging {
    let mut merging = Merging::new(played.primary.clone());
    let mut first = 0;
    for (number, count) in (1..).zip(&plan.runs) {
        let end = if number == plan.runs.len() { BATCHES } else { first + count };
        let arrives = |unit: &usize| (first..end).contains(&case.window[played.transaction[*unit]].batch);
        merging.run(&played.units, (0..played.units.len()).filter(arrives));
        first = end;
    }
    merging
}

/// The differences of one case; empty when there are none.
pub fn differences(
    place: usize,
    played: &Played,
    expected: &Merging,
    plan: &Plan,
    world: &World<'_>,
    found: &Found,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let number = |unit: &str| {
        let (at, transaction) = world.transactions.get(unit)?;
        (*at == place).then(|| played.transaction.iter().position(|t| t == transaction)).flatten()
    };
    let mut held: BTreeMap<usize, BTreeSet<(String, String)>> = BTreeMap::new();
    for (unit, kind, table) in &found.conflicts {
        if let Some(unit) = number(unit) {
            let table = table.strip_prefix("o.").unwrap_or(table);
            held.entry(unit).or_default().insert((kind.clone(), table.to_owned()));
        }
    }
    for (unit, status) in &found.status {
        if let (Some(unit), true) = (number(unit), status != "merged") {
            // One that is held and listed nowhere would wait for ever.
            held.entry(unit).or_insert_with(|| BTreeSet::from([(status.clone(), NOT_LISTED.to_owned())]));
        }
    }
    let units: BTreeSet<usize> = held.keys().chain(expected.held.keys()).copied().collect();
    for unit in units {
        let (says, is) = (expected.held.get(&unit), held.get(&unit));
        let later = plan.runs.len() + plan.kills > 1;
        let moved = follows_a_move(&played.units, unit);
        if !same_kinds(says, is, later, moved) && !waits_behind_a_row(&expected.held, unit, is) {
            let text = |kinds: Vec<String>| if kinds.is_empty() { "merged".to_owned() } else { kinds.join(", ") };
            let says = says.into_iter().flatten().map(|(kind, table)| format!("{kind} {table}")).collect();
            let is = is.into_iter().flatten().map(|(kind, table)| format!("{kind} {table}")).collect();
            wrong.push(format!("unit {}: expected {}, found {}", unit + 1, text(says), text(is)));
        }
    }
    let (says, is) = (expected_rows(&expected.primary.rows, place), of_place(&found.rows, place));
    for table in says.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
        let (says, is) = (says.get(table).cloned().unwrap_or_default(), is.get(table).cloned().unwrap_or_default());
        for (what, ones, others) in [("expected", &says, &is), ("found", &is, &says)] {
            for row in ones.iter().filter(|row| !others.contains(row)) {
                wrong.push(format!("{}: {what} only: {row}", SCHEMA.tables[*table].name));
            }
        }
    }
    let key = |key: &[Value]| key.iter().filter_map(|v| v.text(place)).collect::<Vec<_>>().join(",");
    let says: BTreeSet<(usize, String, String)> = (expected.primary.already.iter())
        .filter(|(unit, _, _)| expected.merged.contains(unit))
        .map(|(unit, table, k)| (*unit, format!("o.{}", SCHEMA.tables[*table].name), key(k)))
        .collect();
    let is: BTreeSet<(usize, String, String)> =
        found.already.iter().filter_map(|(unit, table, k)| Some((number(unit)?, table.clone(), k.clone()))).collect();
    if says != is {
        wrong.push(format!("already there: expected {says:?}, found {is:?}"));
    }
    wrong
}

/// A unit that waits for another may be listed with conflicts of its own as well, because what it meets beside it is
/// then a matter of the order in which one looks. Of several conflicts of a unit, those may be left out that are only
/// found by trying; and what comes after a row got another key is compared only then.
fn same_kinds(says: Option<&Kinds>, is: Option<&BTreeSet<(String, String)>>, later: bool, moved: bool) -> bool {
    match (says, is) {
        (Some(says), Some(is)) => {
            let says: BTreeSet<(String, String)> =
                says.iter().map(|(k, t)| ((*k).to_owned(), (*t).to_owned())).collect();
            let listed = is.iter().all(|(_, table)| table != NOT_LISTED);
            let waits = says.iter().any(|(kind, _)| kind == DEPENDS.0);
            let later = later && !is.is_disjoint(&says);
            listed && (waits || moved || is.is_subset(&says) || later)
        }
        (None, None) => true,
        _ => false,
    }
}

/// True when a unit before `number`, or itself, gave a row of one of its tables another key.
fn follows_a_move(units: &[Unit], number: usize) -> bool {
    let tables: BTreeSet<usize> = units[number].changes.iter().map(|c| c.table).collect();
    units[..=number].iter().flat_map(|u| &u.changes).any(|c| match (&c.old, &c.new) {
        (Some(old), Some(new)) => tables.contains(&c.table) && key_of(c.table, old) != key_of(c.table, new),
        _ => false,
    })
}

/// True when `unit` is listed as waiting, or for a rule, and what it meets itself is a value in a row that an earlier unit
/// also meets, by its key or in the same column: were that unit decided for the standby, the value would be free. Which it
/// is, is found by trying, and a unit that waits is not tried; one that is tried may meet a rule of the primary first.
fn waits_behind_a_row(expected: &BTreeMap<usize, Kinds>, unit: usize, is: Option<&BTreeSet<(String, String)>>) -> bool {
    let meets = |kinds: &Kinds, table| ["exists", "changed"].iter().any(|kind| kinds.contains(&(*kind, table)));
    let earlier = |table| expected.range(..unit).any(|(_, kinds)| meets(kinds, table));
    let unique = |(kind, table): &(&str, &'static str)| *kind == "unique" && earlier(*table);
    is.is_some_and(|is| is.iter().all(|(kind, _)| kind == DEPENDS.0 || kind == "rule"))
        && expected.get(&unit).is_some_and(|says| says.iter().all(unique))
}

/// Stands for the table of a unit that the ledger holds and `his-merge conflicts` does not show.
const NOT_LISTED: &str = "and not listed";

/// The differences of the account of the whole event.
pub fn account_differences(all: &[(&Played, &Merging)], found: &Json) -> Vec<String> {
    let mut sums = [Sums::default(), Sums::default(), Sums::default()];
    for (played, merging) in all {
        for (number, unit) in played.units.iter().enumerate() {
            let place = if merging.held.contains_key(&number) { 2 } else { 1 };
            sums[0].add(unit);
            sums[place].add(unit);
        }
    }
    let [captured, merged, held] = &sums;
    let counts = |of: fn(&Sums) -> u64| json!({ "captured": of(captured), "merged": of(merged), "held": of(held), "rejected": 0 });
    let mut wrong = Vec::new();
    for (name, says) in [("units", counts(|s| s.units)), ("rows", counts(|s| s.rows))] {
        if found[name] != says {
            wrong.push(format!("account: {name}: expected {says}, found {}", found[name]));
        }
    }
    if found["balanced"] != true {
        wrong.push("account: it does not balance".to_owned());
    }
    let money: Vec<Json> = found["money"].as_array().cloned().unwrap_or_default();
    for (number, table) in SCHEMA.tables.iter().enumerate() {
        for column in &table.money {
            let of = |sums: &Sums| cents(sums.money.get(&(number, *column)).copied().unwrap_or_default());
            let (name, column) = (format!("o.{}", table.name), table.columns[*column].name);
            let line = money.iter().find(|m| m["table"] == name.as_str() && m["column"] == column);
            for (outcome, says) in [("captured", of(captured)), ("merged", of(merged)), ("held", of(held))] {
                let is = line.and_then(|m| m[outcome].as_str()).unwrap_or("0");
                if decimal(is) != decimal(&says) {
                    wrong.push(format!("account: {name} {column} {outcome}: expected {says}, found {is}"));
                }
            }
        }
    }
    wrong
}

fn decimal(text: &str) -> rust_decimal::Decimal {
    text.parse().unwrap_or_else(|e| panic!("'{text}' is no decimal: {e}"))
}

#[derive(Default)]
struct Sums {
    units: u64,
    rows: u64,
    money: BTreeMap<(usize, usize), i64>,
}

impl Sums {
    fn add(&mut self, unit: &Unit) {
        self.units += 1;
        self.rows += unit.changes.len() as u64;
        for change in &unit.changes {
            for column in &SCHEMA.tables[change.table].money {
                let amount = |row: &Option<Arc<Row>>| match row.as_ref().map(|r| r[*column]) {
                    Some(Value::Cents(n)) => i64::from(n),
                    _ => 0,
                };
                *self.money.entry((change.table, *column)).or_default() += amount(&change.new) - amount(&change.old);
            }
        }
    }
}

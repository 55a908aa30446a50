//! Numbers that the HIS keeps in columns of tables: what a row handed out on any standby is never handed out again by it.
//!
//! A load raises every such column out of the primary's way (`jump`, `start`), which alone would be the same place each time.
//! So an open generation notes what its rows reach (`his_emergency.handed`), the store remembers it, and every load and
//! opening puts the rows behind it where they go on. Rows that nobody drew from cost nothing.

use super::triggers;
use crate::catalog::{self, Catalog, Name};
use crate::cli::Site;
use crate::db::{Client, GenericClient, Transaction, sql};
use crate::error::{Cannot, Error, Result};
use crate::profile::{Numbers, Profile};
use crate::store::{Reached, State};
use chrono::{DateTime, Days, Utc};
use minijinja::context;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers skipped, in each row that was drawn from, when a standby that died open is opened again, where the column was
/// raised by a `jump`. A committed number is on the disk there, as a sequence's last ones are not, so only what a window
/// showed before its commit, or committed without waiting for the disk, can be lost; and a queue has not many numbers.
/// Where it was set to a `start`, there is room for [`super::numbers::AFTER_A_CRASH`].
pub const AFTER_A_CRASH: i64 = 10;

/// A row that the standby's data has passed is forgotten when they are so much younger than what it reached: older ones may
/// be loaded by name until then.
const KEPT: Days = Days::new(90);

/// Types that a number can be compared in, whatever a window writes.
const NUMERIC: [&str; 6] = ["smallint", "integer", "bigint", "numeric", "real", "double precision"];

/// A column as its generation knows it.
#[derive(Debug, Clone)]
struct Column {
    no: i32,
    table: Name,
    name: String,
    /// Empty: its rows cannot be told apart.
    key: Vec<String>,
    types: Vec<String>,
}

/// Rows by their key as JSON, with the highest number of each.
type Rows = BTreeMap<String, i64>;

/// Puts notes on whatever hands numbers out.
pub fn install(client: &mut impl GenericClient, catalog: &Catalog, profile: &Profile) -> Result<()> {
    for (no, (name, column)) in (1..).zip(columns_of(profile)) {
        let doing = || format!("note the numbers in '{column}' of '{name}'");
        let found = catalog.get(name).and_then(|t| Some((t, t.column(column)?)));
        let (table, described) = found.ok_or_else(|| {
            Error::usage(doing(), "the loaded schema has no such column").hint("check [[numbers]] in the profile.")
        })?;
        if !NUMERIC.contains(&described.kind_of_type()) {
            return Err(Error::usage(
                doing(),
                format!("its type is {} (expected a whole number)", described.type_name),
            )
            .hint("take this column out of [[numbers]] in the profile: numbers kept as text cannot be counted on."));
        }
        let own = profile.table(name).map(|t| t.key.clone()).filter(|key| !key.is_empty());
        let key = own.or_else(|| table.row_key().map(<[String]>::to_vec)).unwrap_or_default();
        let key: Vec<String> = key.into_iter().filter(|c| c != column).collect();
        let settings = !key.iter().all(|c| table.column(c).is_some_and(catalog::Column::is_same_text_everywhere));
        let types: Vec<String> = key.iter().filter_map(|c| table.column(c)).map(|c| c.base_type.clone()).collect();
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&no, &name.schema, &name.name, &column, &key, &types];
        client.execute(crate::sql!("standby/number_column.sql"), &values).cannot(doing())?;
        for (leaf, leaf_table) in (1..).zip(catalog.leaves(table)) {
            let context = context! { no, leaf, table => leaf_table.name.sql(), column, key => key.clone(), settings };
            let text = sql::render(crate::sql!("standby/handed_leaf.sql"), context)?;
            client.batch_execute(&text).cannot(doing())?;
        }
    }
    Ok(())
}

/// Reads into the store what the rows in the database of `client` have reached.
pub fn remember(site: &Site, client: &mut impl GenericClient) -> Result<()> {
    let mut seen = BTreeMap::new();
    note_handed(client, &mut seen)?;
    keep(site, &seen)
}

/// Puts rows of the closed database of `client` where their numbers go on after what this and the `others` (the other
/// generations) and the store have seen. `crashed`: after a margin, because it died open. `strict`: a row that its table's
/// own rules keep from it is an error, not a warning; and what is not needed any more is forgotten.
pub fn go_on(site: &Site, client: &mut Client, others: &mut [Client], crashed: bool, strict: bool) -> Result<()> {
    let columns = read(client)?;
    if columns.is_empty() {
        return Ok(());
    }
    let mut seen = BTreeMap::new();
    note_handed(client, &mut seen)?;
    others.iter_mut().try_for_each(|other| note_handed(other, &mut seen))?;
    // The store first: a number that the store has not seen must never be handed out.
    keep(site, &seen)?;
    let known = site.store.state()?.table_numbers;
    for column in &columns {
        let Some(rows) = known.get(&id(column)) else { continue };
        let gone_on = one_goes_on(site, client, column, rows, crashed, strict);
        match gone_on {
            Ok(()) => {}
            Err(e) if strict => return Err(e),
            // An opening waits for no number (P16).
            Err(e) => site.talk.warn(e.to_string()),
        }
    }
    Ok(())
}

fn one_goes_on(
    site: &Site,
    client: &mut Client,
    column: &Column,
    rows: &BTreeMap<String, Reached>,
    crashed: bool,
    strict: bool,
) -> Result<()> {
    let behind = behind(client, column, rows)?;
    if !behind.is_empty() {
        raise(site, client, column, rows, &behind, strict)?;
    }
    if strict {
        forget(site, client, column, rows, &behind)?;
    }
    if crashed { skip(site, client, column) } else { Ok(()) }
}

/// Leaves a margin in each row that was drawn from here, where its table's rules have room for it.
fn skip(site: &Site, client: &mut Client, column: &Column) -> Result<()> {
    let mut here = BTreeMap::new();
    note_handed(client, &mut here)?;
    let (margin, at) = (margin(&site.profile, column), Utc::now());
    let skipped = |last: i64| Reached { last: last.saturating_add(margin), at };
    let rows: BTreeMap<String, Reached> =
        here.remove(&id(column)).unwrap_or_default().into_iter().map(|(key, last)| (key, skipped(last))).collect();
    let behind = behind(client, column, &rows)?;
    if behind.is_empty() {
        return Ok(());
    }
    let refused = raise(site, client, column, &rows, &behind, false)?;
    let raised = (0..).zip(rows).filter(|(place, _)| behind.contains(place) && !refused.contains(place));
    let (keys, numbers): (Vec<String>, Vec<i64>) = raised.map(|(_, (key, reached))| (key, reached.last)).unzip();
    client.execute(crate::sql!("standby/handed_note.sql"), &[&column.no, &keys, &numbers]).cannot(doing(column))?;
    keep(site, &BTreeMap::from([(id(column), keys.into_iter().zip(numbers).collect())]))
}

/// The same of one table by what the store has seen, inside a transaction in which its triggers are off.
pub fn go_on_within(site: &Site, tx: &mut Transaction, table: &Name) -> Result<()> {
    let columns = read(tx)?;
    let known = if columns.is_empty() { return Ok(()) } else { site.store.state()?.table_numbers };
    for column in columns.iter().filter(|c| c.table == *table) {
        if let Some(rows) = known.get(&id(column)) {
            put(tx, column, &entries(column, rows, None)).map_err(refused)?;
        }
    }
    Ok(())
}

fn columns_of(profile: &Profile) -> impl Iterator<Item = (&Name, &String)> {
    profile.numbers.iter().filter_map(|n| match n {
        Numbers::Block { .. } => None,
        Numbers::Jump { table, column, .. } | Numbers::Start { table, column, .. } => Some((table, column)),
    })
}

fn margin(profile: &Profile, column: &Column) -> i64 {
    let starts = |n: &Numbers| matches!(n, Numbers::Start { table, column: c, .. } if *table == column.table && *c == column.name);
    if profile.numbers.iter().any(starts) { super::numbers::AFTER_A_CRASH } else { AFTER_A_CRASH }
}

fn id(column: &Column) -> String {
    format!("{}.{}", column.table, column.name)
}

fn doing(column: &Column) -> String {
    format!("go on with the numbers of '{}'", id(column))
}

fn refused(error: Error) -> Error {
    error.hint("a rule of the table refuses a number above the highest that a standby handed out; make room in that row on the primary (a new roll, a higher limit), then take a new snapshot and load it.")
}

fn read(client: &mut impl GenericClient) -> Result<Vec<Column>> {
    let doing = "read which columns numbers are kept in";
    let there: bool = client.query_one(crate::sql!("standby/number_columns_there.sql"), &[]).cannot(doing)?.get(0);
    if !there {
        return Ok(Vec::new());
    }
    let rows = client.query(crate::sql!("standby/number_columns.sql"), &[]).cannot(doing)?;
    let column = |r: tokio_postgres::Row| Column {
        no: r.get(0),
        table: Name { schema: r.get(1), name: r.get(2) },
        name: r.get(3),
        key: r.get(4),
        types: r.get(5),
    };
    Ok(rows.into_iter().map(column).collect())
}

fn note_handed(client: &mut impl GenericClient, seen: &mut BTreeMap<String, Rows>) -> Result<()> {
    for column in read(client)? {
        let doing = || format!("look for numbers handed out of '{}'", id(&column));
        for row in client.query(crate::sql!("standby/handed.sql"), &[&column.no]).cannot(doing())? {
            let last: i64 = row.get(1);
            let highest = seen.entry(id(&column)).or_default().entry(row.get(0)).or_insert(last);
            *highest = (*highest).max(last);
        }
    }
    Ok(())
}

fn keep(site: &Site, seen: &BTreeMap<String, Rows>) -> Result<()> {
    let all = || seen.iter().flat_map(|(column, rows)| rows.iter().map(move |(key, last)| (column, key, *last)));
    let known = site.store.state()?.table_numbers;
    let new = |column: &String, key: &String, last: i64| {
        known.get(column).and_then(|rows| rows.get(key)).is_none_or(|reached| reached.last < last)
    };
    if !all().any(|(column, key, last)| new(column, key, last)) {
        return Ok(());
    }
    State::update(&site.store, |s| all().for_each(|(column, key, last)| s.saw_table_number(column, key, last)))
        .map(drop)
}

/// What a query of `number_behind.sql` and `number_raise.sql` takes, apart by whether rows are told by the column's key, or
/// all are meant: they have none, or had another when the number was handed out, and then none of them may meet it.
struct Entries {
    keyed: Vec<Value>,
    all: Vec<Value>,
}

/// The remembered `rows`, or `only` those places of them.
fn entries(column: &Column, rows: &BTreeMap<String, Reached>, only: Option<&BTreeSet<i32>>) -> Entries {
    let mut entries = Entries { keyed: Vec::new(), all: Vec::new() };
    let mut highest: Option<(i32, i64)> = None;
    for (place, (key, reached)) in (0..).zip(rows) {
        if only.is_some_and(|only| !only.contains(&place)) {
            continue;
        }
        let mut entry: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
        let same = entry.len() == column.key.len() && column.key.iter().all(|c| entry.contains_key(c));
        if same && !column.key.is_empty() {
            entry.insert("!entry".to_owned(), json!(place));
            entry.insert("!reached".to_owned(), json!(reached.last));
            entries.keyed.push(Value::Object(entry));
        } else if highest.is_none_or(|(_, last)| last < reached.last) {
            highest = Some((place, reached.last));
        }
    }
    entries.all.extend(highest.map(|(place, last)| json!({ "!entry": place, "!reached": last })));
    entries
}

fn render(template: &str, column: &Column, keyed: bool) -> Result<String> {
    let (key, types) = if keyed { (column.key.clone(), column.types.clone()) } else { Default::default() };
    sql::render(template, context! { table => column.table.sql(), column => column.name.clone(), key, types })
}

/// Places of the rows that are here and have not come so far.
fn behind(client: &mut Client, column: &Column, rows: &BTreeMap<String, Reached>) -> Result<BTreeSet<i32>> {
    let doing = || format!("look how far the numbers of '{}' have come", id(column));
    let entries = entries(column, rows, None);
    let mut tx = client.build_transaction().read_only(true).start().cannot(doing())?;
    pin(&mut tx).cannot(doing())?;
    let mut found = BTreeSet::new();
    for (keyed, list) in [(true, entries.keyed), (false, entries.all)] {
        if !list.is_empty() {
            let text = render(crate::sql!("standby/number_behind.sql"), column, keyed)?;
            let rows = tx.query(&text, &[&Value::Array(list).to_string()]).cannot(doing())?;
            found.extend(rows.iter().map(|r| r.get::<_, i32>(0)));
        }
    }
    tx.rollback().cannot(doing())?;
    Ok(found)
}

/// Raises those places of `rows`. Without `strict`, gives those that a rule of the table refused, and says so.
fn raise(
    site: &Site,
    client: &mut Client,
    column: &Column,
    rows: &BTreeMap<String, Reached>,
    behind: &BTreeSet<i32>,
    strict: bool,
) -> Result<BTreeSet<i32>> {
    let doing = doing(column);
    let mut left = BTreeSet::new();
    let mut tx = client.transaction().cannot(&*doing)?;
    tx.batch_execute(crate::sql!("standby/unguard.sql")).cannot(&*doing)?;
    let off = triggers::off(&mut tx, &column.table.sql(), &doing)?;
    let all_at_once = {
        let mut point = tx.transaction().cannot(&*doing)?;
        put(&mut point, column, &entries(column, rows, Some(behind))).and_then(|()| point.commit().cannot(&*doing))
    };
    match all_at_once {
        Err(error) if strict => return Err(refused(error)),
        // The windows wait: whatever can be raised is, and the rest is said.
        Err(_) => {
            for place in behind {
                let mut point = tx.transaction().cannot(&*doing)?;
                let one = entries(column, rows, Some(&BTreeSet::from([*place])));
                match put(&mut point, column, &one) {
                    Ok(()) => point.commit().cannot(&*doing)?,
                    Err(error) => {
                        point.rollback().cannot(&*doing)?;
                        left.insert(*place);
                        site.talk.warn(format!("a row stays where it is and may hand out a number again: {error}"));
                    }
                }
            }
        }
        Ok(()) => {}
    }
    triggers::on(&mut tx, off, &doing)?;
    tx.batch_execute(crate::sql!("standby/guard_again.sql")).cannot(&*doing)?;
    tx.commit().cannot(doing)?;
    Ok(left)
}

fn put(tx: &mut Transaction, column: &Column, entries: &Entries) -> Result<()> {
    let doing = doing(column);
    pin(tx).cannot(&*doing)?;
    for (keyed, list) in [(true, &entries.keyed), (false, &entries.all)] {
        if !list.is_empty() {
            let text = render(crate::sql!("standby/number_raise.sql"), column, keyed)?;
            tx.execute(&text, &[&Value::Array(list.clone()).to_string()]).cannot(&*doing)?;
        }
    }
    Ok(())
}

/// An index, a check or a generated column may call functions of the HIS.
fn pin(tx: &mut Transaction) -> std::result::Result<(), tokio_postgres::Error> {
    tx.query(crate::sql!("standby/own_path.sql"), &[]).map(drop)
}

/// Forgets rows that are gone or have passed what they reached, when that is long ago for the data that are loaded.
fn forget(
    site: &Site,
    client: &mut Client,
    column: &Column,
    rows: &BTreeMap<String, Reached>,
    behind: &BTreeSet<i32>,
) -> Result<()> {
    let doing = || format!("forget old numbers of '{}'", id(column));
    let taken: Option<DateTime<Utc>> =
        client.query_one(crate::sql!("standby/data_until.sql"), &[]).cannot(doing())?.get(0);
    let Some(before) = taken.and_then(|taken| taken.checked_sub_days(KEPT)) else { return Ok(()) };
    let told_apart = entries(column, rows, None).all.is_empty();
    let old: Vec<(&String, i64)> = (0..)
        .zip(rows)
        .filter(|(place, (_, reached))| told_apart && !behind.contains(place) && reached.at < before)
        .map(|(_, (key, reached))| (key, reached.last))
        .collect();
    if old.is_empty() {
        return Ok(());
    }
    State::update(&site.store, |s| s.forget_table_numbers(&id(column), &old)).map(drop)
}

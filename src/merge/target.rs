//! What one table of the batches means on the primary: which columns are applied, guarded, added or set.

use super::rules::{self, Key, Refer, Reference, ReferencedBy, Rule, Rules, Search, Unique, Watch, Watched};
use super::shape::Shape;
use crate::catalog::{self, Catalog, Name};
use crate::db::sql::ident;
use crate::error::{Error, Result};
use crate::money;
use crate::profile::{self, OnConflict, Profile, Stamp, Triggers};
use serde::Serialize;

/// A column of the batches, as the SQL templates of `sql/merge/` see it.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent trait of a column")]
pub struct Column {
    /// Position in the staged images, 1 the first.
    pub i: usize,
    pub name: String,
    /// Base type on the primary.
    #[serde(rename = "type")]
    pub type_name: String,
    /// May be written: not generated.
    pub data: bool,
    /// The primary's value must be as the standby knew it.
    pub guarded: bool,
    /// Merged as a difference.
    pub counter: bool,
    /// Kept apart by `[[numbers]]`: never merged back.
    pub number: bool,
    /// Given by `stamp`.
    pub stamped: bool,
    pub is_key: bool,
    /// Must stand on the primary as written.
    pub read_back: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct Set {
    pub name: String,
    /// SQL expression.
    pub value: String,
    pub i: Option<usize>,
}

#[derive(Debug, Clone, Serialize)]
pub struct MoneyColumn {
    pub column: String,
    pub i: usize,
    #[serde(rename = "type")]
    pub type_name: String,
    /// SQL expression over `s`: new minus old.
    pub difference: String,
}

/// One table of the batches, ready for the templates.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    pub no: usize,
    /// As the profile writes it.
    pub name: String,
    /// Quoted.
    pub table: String,
    pub partitioned: bool,
    /// Applied with the primary's triggers off.
    pub replay: bool,
    pub on_conflict: &'static str,
    pub columns: Vec<Column>,
    pub key: Vec<Key>,
    pub weak: Vec<usize>,
    /// Columns by which the table is joined with itself and with others.
    pub joined: Vec<usize>,
    pub key_rule: usize,
    /// The key as a number, of the old and of the new image of `s`, and of a row `t` of the primary.
    pub key_old: String,
    pub key_new: String,
    pub key_there: String,
    pub rules: Vec<Rule>,
    pub refers: Vec<Refer>,
    pub references: Vec<Reference>,
    pub referenced_by: Vec<ReferencedBy>,
    pub uniques: Vec<Unique>,
    pub watches: Vec<Watch>,
    pub watched: Vec<Watched>,
    pub searches: Vec<Search>,
    pub money: Vec<MoneyColumn>,
    pub group: Vec<Key>,
    pub stamps: Vec<Set>,
    pub assigns: Vec<Set>,
    #[serde(skip)]
    pub of: Name,
}

impl Target {
    pub fn at(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Positions with names, when all are in the batches.
    pub fn keys(&self, names: &[String]) -> Option<Vec<Key>> {
        names
            .iter()
            .map(|n| self.at(n).map(|c| Key { i: c.i, name: c.name.clone(), type_name: c.type_name.clone() }))
            .collect()
    }
}

/// Reads the tables of the batches against the primary's catalog and the profile.
///
/// A table or column that the primary no longer has, or has with another type, is a change of the schema meanwhile:
/// refused, because nobody can say what the captured values should become.
pub fn targets(tables: &[Shape], catalog: &Catalog, profile: &Profile) -> Result<Vec<Target>> {
    let mut rules = Rules::default();
    let mut targets = Vec::new();
    for (no, table) in (1..).zip(tables) {
        targets.push(target(no, table, catalog, profile, &mut rules)?);
    }
    let names: Vec<(Name, usize)> = targets.iter().map(|t| (t.of.clone(), t.no)).collect();
    let all = targets.clone();
    for target in &mut targets {
        let (described, entry) = described(&target.of, catalog, profile)?;
        rules::connect(target, described, entry, &all, &names, catalog, profile, &mut rules);
    }
    for target in &mut targets {
        rules::finish(target, &rules, catalog);
    }
    Ok(targets)
}

fn described<'a>(
    name: &Name,
    catalog: &'a Catalog,
    profile: &'a Profile,
) -> Result<(&'a catalog::Table, &'a profile::Table)> {
    let doing = || format!("merge changes of '{name}'");
    let described = catalog.get(name).ok_or_else(|| {
        Error::refused(doing(), "the primary has no such table")
            .hint("the schema changed since the snapshot; put the table back, or ask the vendor, then merge again.")
    })?;
    let entry = profile.table(name).filter(|t| t.capture).ok_or_else(|| {
        Error::refused(doing(), "the profile does not capture it any more")
            .hint("put its [[table]] with capture = true back into his.toml, then merge again.")
    })?;
    Ok((described, entry))
}

fn target(no: usize, table: &Shape, catalog: &Catalog, profile: &Profile, rules: &mut Rules) -> Result<Target> {
    let name = &table.table;
    let (described, entry) = described(name, catalog, profile)?;
    // Without triggers of its own, the primary has nothing to do again but to check references, which the merge does.
    let fires = catalog.leaves(described).into_iter().chain([described]).any(|t| t.triggers.iter().any(|g| g.enabled));
    let replay = entry.triggers == Triggers::Replay || !fires;
    let columns = columns(table, described, entry, profile, replay)?;
    let weak =
        columns.iter().filter(|c| c.counter || c.number || entry.ignore.contains(&c.name)).map(|c| c.i).collect();
    let mut target = Target {
        no,
        name: name.to_string(),
        table: name.sql(),
        partitioned: described.partitioned,
        replay,
        on_conflict: match entry.on_conflict {
            OnConflict::Hold => "hold",
            OnConflict::Primary => "primary",
            OnConflict::Standby => "standby",
        },
        columns,
        key: Vec::new(),
        weak,
        joined: Vec::new(),
        key_rule: rules.of(name, &table.key),
        key_old: String::new(),
        key_new: String::new(),
        key_there: String::new(),
        rules: Vec::new(),
        refers: Vec::new(),
        references: Vec::new(),
        referenced_by: Vec::new(),
        uniques: Vec::new(),
        watches: Vec::new(),
        watched: Vec::new(),
        searches: Vec::new(),
        money: Vec::new(),
        group: Vec::new(),
        stamps: Vec::new(),
        assigns: Vec::new(),
        of: name.clone(),
    };
    target.key =
        target.keys(&table.key).ok_or_else(|| schema_changed(name, &table.key.join(", "), "is no captured key"))?;
    target.key_old = rules::hash(target.key.iter().map(|k| (format!("s.o{}", k.i), k.type_name.as_str())));
    target.key_new = rules::hash(target.key.iter().map(|k| (format!("s.n{}", k.i), k.type_name.as_str())));
    target.key_there = rules::hash(
        target.key.iter().map(|k| (format!("t.{}::{}", ident(&k.name), k.type_name), k.type_name.as_str())),
    );
    target.group = entry.group.iter().filter_map(|g| target.keys(std::slice::from_ref(g))).flatten().collect();
    for column in &entry.money {
        if let Some(c) = target.at(column) {
            let difference = money::difference(&c.type_name, &format!("s.o{}", c.i), &format!("s.n{}", c.i));
            let (i, type_name) = (c.i, c.type_name.clone());
            target.money.push(MoneyColumn { column: column.clone(), i, type_name, difference });
        }
    }
    for (column, what) in &entry.stamp {
        let value = match what {
            // Of the unit `x`.
            Stamp::Event => "x.event",
            Stamp::Batch => "x.batch",
            Stamp::MergedAt => "pg_catalog.now()",
        };
        described.column(column).ok_or_else(|| schema_changed(name, column, "is not there on the primary"))?;
        target.stamps.push(Set { name: column.clone(), value: value.to_owned(), i: None });
    }
    for (column, value) in &entry.assign {
        described.column(column).ok_or_else(|| schema_changed(name, column, "is not there on the primary"))?;
        let i = target.at(column).map(|c| c.i);
        target.assigns.push(Set { name: column.clone(), value: value.clone(), i });
    }
    Ok(target)
}

fn columns(
    table: &Shape,
    described: &catalog::Table,
    entry: &profile::Table,
    profile: &Profile,
    replay: bool,
) -> Result<Vec<Column>> {
    let name = &table.table;
    let numbers: Vec<&str> = profile.number_columns(name).collect();
    let mut columns = Vec::new();
    for (i, column) in (1..).zip(&table.columns) {
        let there = described
            .column(&column.name)
            .ok_or_else(|| schema_changed(name, &column.name, "is not there on the primary"))?;
        if there.base_type != column.type_name {
            let what = format!(
                "has the type {} on the primary (expected {}, as on the standby)",
                there.base_type, column.type_name
            );
            return Err(schema_changed(name, &column.name, &what));
        }
        let is_in = |list: &[String]| list.contains(&column.name);
        let (counter, ignore) = (is_in(&entry.counter), is_in(&entry.ignore));
        let number = numbers.contains(&column.name.as_str());
        let stamped = entry.stamp.iter().any(|(c, _)| *c == column.name);
        let set_by_merge = stamped || entry.assign.iter().any(|(c, _)| *c == column.name);
        let data = !there.generated;
        let guarded = data && !counter && !ignore && !number && !set_by_merge;
        // Under replay nothing else writes, so what is not compared for conflicts must still stand as written.
        let read_back = guarded || (replay && data && ignore && !counter && !number && !set_by_merge);
        columns.push(Column {
            i,
            name: column.name.clone(),
            type_name: there.base_type.clone(),
            data,
            guarded,
            counter,
            number,
            stamped,
            is_key: table.key.contains(&column.name),
            read_back,
        });
    }
    Ok(columns)
}

fn schema_changed(table: &Name, column: &str, what: &str) -> Error {
    Error::refused(format!("merge changes of '{table}'"), format!("column '{column}' {what}"))
        .hint("the schema changed since the snapshot (DDL on the primary); undo that change, or ask the vendor, then merge again.")
}

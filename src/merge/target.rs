//! What one table of a batch means on the primary: which columns are applied, guarded, added or set.

use crate::catalog::{self, Catalog, ForeignKey, Name};
use crate::db::sql::{ident, literal};
use crate::error::{Error, Result};
use crate::formats::batch;
use crate::money;
use crate::profile::{self, Profile, Stamp, Triggers};
use serde::Serialize;

/// A column of the batch, as the SQL templates of `sql/merge/` see it.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent trait of a column")]
pub struct Column {
    /// Position in the batch's images, 1 the first.
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
    /// Given by `stamp` or `assign`.
    pub set_by_merge: bool,
    /// Must stand on the primary as written.
    pub read_back: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct Key {
    pub i: usize,
    pub name: String,
}

/// A key or unique rule, by its columns.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_field_names, reason = "the templates know it by this name")]
pub struct Rule {
    pub rule: String,
    pub columns: Vec<usize>,
    pub key: bool,
}

/// A reference to another captured table.
#[derive(Debug, Clone, Serialize)]
pub struct Read {
    /// Number of the table in this batch; 0 when it is not in it.
    pub to_no: usize,
    pub to_name: String,
    pub rule: String,
    pub columns: Vec<usize>,
    pub document: bool,
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
    /// SQL expression over `c`: new minus old.
    pub difference: String,
}

/// One table of a batch, ready for the templates.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    pub no: usize,
    /// As the profile writes it.
    pub name: String,
    /// Quoted.
    pub table: String,
    pub partitioned: bool,
    pub replay: bool,
    pub columns: Vec<Column>,
    pub key: Vec<Key>,
    pub weak: Vec<usize>,
    pub rules: Vec<Rule>,
    pub reads: Vec<Read>,
    pub money: Vec<MoneyColumn>,
    pub stamps: Vec<Set>,
    pub assigns: Vec<Set>,
    #[serde(skip)]
    pub file: String,
    #[serde(skip)]
    pub of: Name,
}

impl Target {
    fn at(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Positions of `names`, when all are in the batch.
    pub fn positions(&self, names: &[String]) -> Option<Vec<usize>> {
        names.iter().map(|n| self.at(n).map(|c| c.i)).collect()
    }

    /// Positions with names, when all are in the batch.
    pub fn keys(&self, names: &[String]) -> Option<Vec<Key>> {
        names.iter().map(|n| self.at(n).map(|c| Key { i: c.i, name: c.name.clone() })).collect()
    }
}

/// Reads the tables of a batch against the primary's catalog and the profile.
///
/// A table or column that the primary no longer has, or has with another type, is a change of the schema meanwhile:
/// refused, because nobody can say what the captured values should become.
pub fn targets(manifest: &batch::Manifest, catalog: &Catalog, profile: &Profile) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for (no, table) in (1..).zip(&manifest.tables) {
        targets.push(target(no, table, manifest, catalog, profile)?);
    }
    let names: Vec<(Name, usize)> = targets.iter().map(|t| (t.of.clone(), t.no)).collect();
    for target in &mut targets {
        let (described, entry) = described(&target.of, catalog, profile)?;
        for key in &described.foreign_keys {
            let to = catalog.get(&key.to()).map_or_else(|| key.to(), |t| catalog.root(t).name.clone());
            let captured = profile.table(&to).is_some_and(|t| t.capture);
            if let (true, Some(columns)) = (captured, target.positions(&key.columns)) {
                target.reads.push(Read {
                    to_no: names.iter().find(|(n, _)| *n == to).map_or(0, |(_, no)| *no),
                    to_name: to.to_string(),
                    rule: rule_name(&key.to_columns),
                    columns,
                    document: entry.part_of.as_ref() == Some(&to),
                });
            }
        }
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

fn target(
    no: usize,
    table: &batch::Table,
    manifest: &batch::Manifest,
    catalog: &Catalog,
    profile: &Profile,
) -> Result<Target> {
    let name = &table.table;
    let (described, entry) = described(name, catalog, profile)?;
    let numbers: Vec<&str> = profile.number_columns(name).collect();
    let replay = entry.triggers == Triggers::Replay;
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
        let set_by_merge =
            entry.stamp.iter().any(|(c, _)| *c == column.name) || entry.assign.iter().any(|(c, _)| *c == column.name);
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
            set_by_merge,
            read_back,
        });
    }
    let weak =
        columns.iter().filter(|c| c.counter || c.number || entry.ignore.contains(&c.name)).map(|c| c.i).collect();
    let mut target = Target {
        no,
        name: name.to_string(),
        table: name.sql(),
        partitioned: described.partitioned,
        replay,
        columns,
        key: Vec::new(),
        weak,
        rules: Vec::new(),
        reads: Vec::new(),
        money: Vec::new(),
        stamps: Vec::new(),
        assigns: Vec::new(),
        file: table.file.clone(),
        of: name.clone(),
    };
    target.key =
        target.keys(&table.key).ok_or_else(|| schema_changed(name, &table.key.join(", "), "is no captured key"))?;
    target.rules = rules(&target, table, described, catalog);
    for column in &entry.money {
        if let Some(c) = target.at(column) {
            let difference = money::difference(&c.type_name, &format!("c.o{}", c.i), &format!("c.n{}", c.i));
            target.money.push(MoneyColumn { column: column.clone(), difference });
        }
    }
    for (column, what) in &entry.stamp {
        let value = match what {
            Stamp::Event => literal(&manifest.event),
            Stamp::Batch => literal(&manifest.batch.to_string()),
            Stamp::MergedAt => "pg_catalog.now()".to_owned(),
        };
        described.column(column).ok_or_else(|| schema_changed(name, column, "is not there on the primary"))?;
        target.stamps.push(Set { name: column.clone(), value, i: None });
    }
    for (column, value) in &entry.assign {
        described.column(column).ok_or_else(|| schema_changed(name, column, "is not there on the primary"))?;
        let i = target.at(column).map(|c| c.i);
        target.assigns.push(Set { name: column.clone(), value: value.clone(), i });
    }
    Ok(target)
}

/// The key, every plain unique rule, and every set of columns that something references.
fn rules(target: &Target, table: &batch::Table, described: &catalog::Table, catalog: &Catalog) -> Vec<Rule> {
    let uniques = described.uniques.iter().filter(|u| u.plain).map(|u| &u.columns);
    let referenced = catalog.references_to(&described.name).map(|(_, f): (_, &ForeignKey)| &f.to_columns);
    let mut rules: Vec<Rule> = Vec::new();
    for columns in std::iter::once(&table.key).chain(uniques).chain(referenced) {
        let rule = rule_name(columns);
        if let Some(positions) = target.positions(columns)
            && !rules.iter().any(|r| r.rule == rule)
        {
            rules.push(Rule { rule, columns: positions, key: *columns == table.key });
        }
    }
    rules
}

/// A rule is named by its columns, so that a reference finds it whatever the index is called.
fn rule_name(columns: &[String]) -> String {
    columns.iter().map(|c| ident(c)).collect::<Vec<_>>().join(",")
}

fn schema_changed(table: &Name, column: &str, what: &str) -> Error {
    Error::refused(format!("merge changes of '{table}'"), format!("column '{column}' {what}"))
        .hint("the schema changed since the snapshot (DDL on the primary); undo that change, or ask the vendor, then merge again.")
}

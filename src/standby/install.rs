//! Puts gate and capture on every table of a freshly loaded generation.

use super::{Captured, columns};
use crate::catalog::{Catalog, Column, ForeignKey, Table};
use crate::db::GenericClient;
use crate::db::sql;
use crate::error::{Cannot, Error, Result};
use crate::profile::{self, Profile, Triggers};
use minijinja::context;

/// Installs the gate on every table and partition, and the capture on those the profile captures.
///
/// The data is in place and verified by then, and the gate is closed, so this is the moment from which on nothing but
/// an opened gate lets a row change.
pub fn install(client: &mut impl GenericClient, catalog: &Catalog, profile: &Profile) -> Result<Vec<Captured>> {
    // Without a table that refires, where a change comes from does not matter, and the markers would only cost time.
    let refires = profile.captured().any(|t| t.triggers == Triggers::Refire);
    for table in catalog.iter() {
        let entry = profile.table(&catalog.root(table).name);
        let class = match entry {
            Some(t) if t.capture => "capture",
            Some(t) if t.scratch => "scratch",
            _ => "refuse",
        };
        let mark = if refires && class != "refuse" { entry.map_or("none", mark_of) } else { "none" };
        run(
            client,
            crate::sql!("standby/gate_table.sql"),
            context! { table => table.name.sql(), class, mark },
            &table.name.to_string(),
        )?;
    }
    let mut captured = Vec::new();
    for (no, entry) in (1..).zip(profile.captured()) {
        let table = catalog.get(&entry.name).ok_or_else(|| {
            Error::usage(format!("capture '{}'", entry.name), "the loaded schema has no such table")
                .hint("run his-snapshot check.")
        })?;
        captured.push(capture(client, catalog, no, table, entry, if refires { mark_of(entry) } else { "none" })?);
    }
    columns::install(client, catalog, profile)?;
    Ok(captured)
}

/// Refuses DDL from here on.
pub fn guard(client: &mut impl GenericClient) -> Result<()> {
    client.batch_execute(crate::sql!("standby/guard.sql")).cannot("guard the standby against DDL")
}

fn mark_of(entry: &profile::Table) -> &'static str {
    match entry.triggers {
        Triggers::Refire => "refire",
        Triggers::Replay => "replay",
    }
}

fn capture(
    client: &mut impl GenericClient,
    catalog: &Catalog,
    no: i32,
    table: &Table,
    entry: &profile::Table,
    mark: &str,
) -> Result<Captured> {
    let key = match (entry.key.is_empty(), table.primary_key()) {
        (false, _) => entry.key.clone(),
        (true, Some(key)) => key.to_vec(),
        (true, None) => {
            return Err(Error::usage(
                format!("capture '{}'", entry.name),
                "it has no primary key and the profile names no key",
            )
            .hint("name the columns of a unique index in `key` of its [[table]]."));
        }
    };
    let columns: Vec<_> = table.columns.iter().filter(|c| !entry.omit.contains(&c.name)).collect();
    let omitted: Vec<_> = table
        .columns
        .iter()
        .filter(|c| entry.omit.contains(&c.name))
        .map(|c| context! { name => c.name.clone(), default => c.default.as_deref().unwrap_or("NULL") })
        .collect();
    let shown: Vec<_> =
        columns.iter().map(|c| context! { name => c.name.clone(), base_type => c.base_type.clone() }).collect();
    let guards = guards_of(table, entry);
    let knows = !(entry.same_as.is_empty() && entry.once.is_empty() && guards.is_empty());
    let settings =
        knows && !told_columns(catalog, table, entry, &key).all(|c| c.is_some_and(Column::is_same_text_everywhere));
    let searched: Vec<Vec<String>> = [entry.same_as.clone()]
        .into_iter()
        .filter(|c| !c.is_empty())
        .chain(entry.once.iter().map(|c| vec![c.clone()]))
        .collect();
    run(
        client,
        crate::sql!("standby/capture_table.sql"),
        context! { no, schema => table.name.schema.clone(), name => table.name.name.clone(), table => table.name.sql(), searched, columns => shown.clone(), key => key.clone(), money => entry.money.clone() },
        &table.name.to_string(),
    )?;
    for (leaf, leaf_table) in (1..).zip(catalog.leaves(table)) {
        // Columns by name: a partition may have them in another order than its root.
        let context = context! { no, leaf, table => leaf_table.name.sql(), columns => shown.clone(), omitted => omitted.clone(), mark,
        key => key.clone(), root => table.name.sql(), knows, settings, same_as => entry.same_as.clone(), once => entry.once.clone(), guards => guards.clone() };
        run(client, crate::sql!("standby/capture_leaf.sql"), context, &leaf_table.name.to_string())?;
    }
    Ok(Captured {
        no,
        table: table.name.clone(),
        columns: columns.iter().map(|c| c.name.clone()).collect(),
        types: columns.iter().map(|c| c.base_type.clone()).collect(),
        key,
        money: entry.money.clone(),
    })
}

/// The columns whose values are kept as text in what the standby knew: keys, and what is watched of the parents.
fn told_columns<'a>(
    catalog: &'a Catalog,
    table: &'a Table,
    entry: &'a profile::Table,
    key: &'a [String],
) -> impl Iterator<Item = Option<&'a Column>> {
    let of_parents = entry.guard.iter().flat_map(move |(column, watched)| {
        let parent = key_of(table, column).and_then(|f| catalog.get(&f.to()));
        watched.iter().map(move |w| parent.and_then(|p| p.column(w)))
    });
    key.iter().map(|c| table.column(c)).chain(of_parents)
}

fn key_of<'a>(table: &'a Table, column: &str) -> Option<&'a ForeignKey> {
    table.foreign_keys.iter().find(|f| f.columns.iter().any(|c| c == column))
}

/// The foreign keys whose parents are watched: a `guard` names a column of its key.
fn guards_of(table: &Table, entry: &profile::Table) -> Vec<minijinja::Value> {
    entry
        .guard
        .iter()
        .filter_map(|(column, watched)| {
            let key = key_of(table, column)?;
            Some(context! { column, from => key.columns.clone(), to_table => key.to().sql(), to => key.to_columns.clone(), watched })
        })
        .collect()
}

fn run(client: &mut impl GenericClient, template: &str, context: minijinja::Value, table: &str) -> Result<()> {
    let text = sql::render(template, context)?;
    client.batch_execute(&text).cannot(format!("install gate and capture on '{table}'"))
}

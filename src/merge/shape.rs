//! Which tables and columns the units to be merged have, over all batches and what the ledger keeps of held units.

use crate::catalog::{Catalog, Name};
use crate::error::{Cannot, Error, Result};
use crate::formats::batch::Column;
use crate::profile::Profile;
use crate::queue::Batch;

/// A table as the standby captured it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    pub table: Name,
    pub columns: Vec<Column>,
    pub key: Vec<String>,
}

impl Shape {
    /// Positions of `columns` among those of the shape, 1 the first.
    pub fn positions(&self, columns: &[Column]) -> Vec<usize> {
        let at = |c: &Column| self.columns.iter().position(|own| own.name == c.name).map_or(0, |i| i + 1);
        columns.iter().map(at).collect()
    }
}

/// The tables of `batches`, and of the units that the ledger holds or has rejected. Generations may differ in their columns:
/// a table has all that any of them has.
pub fn shapes(
    client: &mut impl crate::db::GenericClient,
    batches: &[Batch],
    catalog: &Catalog,
    profile: &Profile,
) -> Result<Vec<Shape>> {
    let mut shapes = of_batches(batches)?;
    for row in client.query(crate::sql!("merge/held_tables.sql"), &[]).cannot("read the held units of the ledger")? {
        let (table, names): (Name, Vec<String>) = (Name::parse(row.get(0))?, row.get(1));
        let shape = kept(&table, &names, catalog, profile).ok_or_else(|| {
            Error::refused(format!("merge changes of '{table}'"), "the primary has no such table")
                .hint("the schema changed while units of it are held; put the table back, or ask the vendor.")
        })?;
        add(&mut shapes, &shape)?;
    }
    Ok(shapes)
}

/// The tables of `batches` alone.
pub fn of_batches(batches: &[Batch]) -> Result<Vec<Shape>> {
    let mut shapes = Vec::new();
    for table in batches.iter().flat_map(|b| &b.manifest.tables) {
        let shape = Shape { table: table.table.clone(), columns: table.columns.clone(), key: table.key.clone() };
        add(&mut shapes, &shape)?;
    }
    Ok(shapes)
}

/// A table as it comes from the ledger, with the columns of these names; `None` when it is not in the catalog.
pub fn kept(table: &Name, names: &[String], catalog: &Catalog, profile: &Profile) -> Option<Shape> {
    let described = catalog.get(table)?;
    let columns = names
        .iter()
        .filter_map(|n| described.column(n))
        .map(|c| Column { name: c.name.clone(), type_name: c.base_type.clone() })
        .collect();
    let entry = profile.table(table);
    let key = entry.filter(|t| !t.key.is_empty()).map(|t| t.key.clone());
    let key = key.or_else(|| described.primary_key().map(<[String]>::to_vec)).unwrap_or_default();
    Some(Shape { table: table.clone(), columns, key })
}

/// Adds a table, or what is new of it.
pub fn add(shapes: &mut Vec<Shape>, new: &Shape) -> Result<()> {
    let at = shapes.iter().position(|s| s.table == new.table).unwrap_or_else(|| {
        shapes.push(Shape { columns: Vec::new(), ..new.clone() });
        shapes.len() - 1
    });
    let shape = &mut shapes[at];
    if shape.key != new.key {
        return Err(Error::refused(
            format!("merge changes of '{}'", new.table),
            format!("its key was ({}) and is ({})", shape.key.join(", "), new.key.join(", ")),
        )
        .hint("the profile's `key` of this table changed between two loads; merge the older batches by name first."));
    }
    for column in &new.columns {
        if !shape.columns.iter().any(|c| c.name == column.name) {
            shape.columns.push(column.clone());
        }
    }
    Ok(())
}

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
    client: &mut impl postgres::GenericClient,
    batches: &[Batch],
    catalog: &Catalog,
    profile: &Profile,
) -> Result<Vec<Shape>> {
    let mut shapes: Vec<Shape> = Vec::new();
    let mut add = |table: &Name, columns: &[Column], key: &[String]| {
        let at = shapes.iter().position(|s| s.table == *table).unwrap_or_else(|| {
            shapes.push(Shape { table: table.clone(), columns: Vec::new(), key: key.to_vec() });
            shapes.len() - 1
        });
        let shape = &mut shapes[at];
        if shape.key != key {
            return Err(Error::refused(
                format!("merge changes of '{table}'"),
                format!("its key was ({}) and is ({})", shape.key.join(", "), key.join(", ")),
            )
            .hint(
                "the profile's `key` of this table changed between two loads; merge the older batches by name first.",
            ));
        }
        for column in columns {
            if !shape.columns.iter().any(|c| c.name == column.name) {
                shape.columns.push(column.clone());
            }
        }
        Ok(())
    };
    for table in batches.iter().flat_map(|b| &b.manifest.tables) {
        add(&table.table, &table.columns, &table.key)?;
    }
    for row in client.query(crate::sql!("merge/held_tables.sql"), &[]).cannot("read the held units of the ledger")? {
        let table = Name::parse(row.get(0))?;
        let names: Vec<String> = row.get(1);
        let described = catalog.get(&table).ok_or_else(|| {
            Error::refused(format!("merge changes of '{table}'"), "the primary has no such table")
                .hint("the schema changed while units of it are held; put the table back, or ask the vendor.")
        })?;
        let columns: Vec<Column> = names
            .iter()
            .filter_map(|n| described.column(n))
            .map(|c| Column { name: c.name.clone(), type_name: c.base_type.clone() })
            .collect();
        let entry = profile.table(&table);
        let key = entry.filter(|t| !t.key.is_empty()).map(|t| t.key.clone());
        let key = key.or_else(|| described.primary_key().map(<[String]>::to_vec)).unwrap_or_default();
        add(&table, &columns, &key)?;
    }
    Ok(shapes)
}

//! `link`: a row of the standby that a person has found to be a row of the primary. It falls away, and what refers to it
//! refers to that row.

use super::stage;
use super::target::Target;
use crate::error::{Cannot, Result};
use minijinja::{Value, context};
use postgres::Transaction;

/// One decision, as the ledger keeps it.
struct Link {
    unit: String,
    seq: i64,
    table: String,
    /// Columns that something may refer to, with their values on both sides.
    columns: Vec<String>,
    ours: Vec<Option<String>>,
    theirs: Vec<Option<String>>,
    /// The unit's own counter differences fall away with the row.
    counters: bool,
    /// Only what these units refer to; of all units when `None`.
    units: Option<Vec<String>>,
}

/// Points the staged changes at the rows that were named.
pub fn repoint(tx: &mut Transaction<'_>, targets: &[Target]) -> Result<()> {
    let doing = "point what is merged at the linked rows";
    let rows = tx.query(crate::sql!("merge/links.sql"), &[]).cannot(doing)?;
    for row in rows {
        let link = Link {
            unit: row.get(0),
            seq: row.get(1),
            table: row.get(2),
            columns: row.get(3),
            ours: row.get(4),
            theirs: row.get(5),
            counters: row.get(6),
            units: row.get(7),
        };
        for target in targets {
            let own = link.seq != 0 && link.table == target.name;
            let mut moves: Vec<Value> = Vec::new();
            if own {
                moves.extend(link.moves(target.key.iter().map(|k| (k.i, k.type_name.as_str(), k.name.as_str()))));
            }
            for reference in target.references.iter().filter(|r| r.to_name == link.table) {
                let columns = reference.columns.iter().zip(&reference.to_columns);
                moves.extend(link.moves(columns.map(|(k, to)| (k.i, k.type_name.as_str(), to.as_str()))));
            }
            let others: Vec<usize> =
                target.columns.iter().filter(|c| c.data && !target.weak.contains(&c.i)).map(|c| c.i).collect();
            let counters = link.counters && target.columns.iter().any(|c| c.counter);
            if own || counters || !moves.is_empty() {
                let seq = if own { link.seq } else { 0 };
                let context = context! { no => target.no, unit => link.unit.clone(), seq, counters, weak => target.weak.clone(), others, moves, units => link.units.clone().unwrap_or_default() };
                stage::run(tx, crate::sql!("merge/link_table.sql"), context, doing)?;
            }
        }
    }
    Ok(())
}

impl Link {
    /// The columns that move together, when the link knows all of them and they have values.
    fn moves<'a>(&self, columns: impl Iterator<Item = (usize, &'a str, &'a str)>) -> Option<Value> {
        let mut moved = Vec::new();
        for (i, type_name, to) in columns {
            let at = self.columns.iter().position(|c| c == to)?;
            let (from, to) = (self.ours[at].clone()?, self.theirs[at].clone()?);
            moved.push(context! { i, type => type_name, from, to });
        }
        (!moved.is_empty()).then(|| Value::from(moved))
    }
}

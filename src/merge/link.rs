//! `link`: a row of the standby that a person has found to be a row of the primary. It falls away, and what refers to it
//! refers to that row.

use super::statements::{self, Statements};
use super::target::Target;
use crate::error::Result;
use minijinja::{Value, context};

/// Points the staged changes at the rows that were named.
pub fn repoint(to: &mut impl Statements, targets: &[Target]) -> Result<()> {
    let tables: Vec<Value> = targets.iter().map(table).collect();
    statements::run(to, crate::sql!("merge/link.sql"), context! { tables }, "point what is merged at the linked rows")
}

/// What of a table a link can move: its own row, its counters, and what refers to a row elsewhere.
fn table(target: &Target) -> Value {
    let others: Vec<usize> =
        target.columns.iter().filter(|c| c.data && !target.weak.contains(&c.i)).map(|c| c.i).collect();
    let key = target.key.iter().map(|k| context! { i => k.i, type => k.type_name.clone(), to => k.name.clone() });
    let mut moves = vec![context! { of => target.name.clone(), own => true, columns => key.collect::<Vec<_>>() }];
    for reference in &target.references {
        let columns = reference.columns.iter().zip(&reference.to_columns);
        let columns: Vec<Value> =
            columns.map(|(k, to)| context! { i => k.i, type => k.type_name.clone(), to => to.clone() }).collect();
        moves.push(context! { of => reference.to_name.clone(), own => false, columns });
    }
    let counters = target.columns.iter().any(|c| c.counter) && !target.weak.is_empty();
    context! { no => target.no, name => target.name.clone(), counters, others, moves }
}

//! Decides, before anything is applied, which units are held: conflicts found set-wise, decisions made, and everything that
//! depends on what is held.

use super::stage::{self, run};
use super::target::Target;
use crate::db::sql;
use crate::error::{Cannot, Result};
use minijinja::value::Serde;
use minijinja::{Value, context};
use postgres::Transaction;

/// Plans the staged units, writes nothing but temporary tables, and makes the functions that apply them.
pub fn plan(tx: &mut Transaction<'_>, targets: &[Target]) -> Result<()> {
    let doing = "plan the merge";
    let all = context! { tables => Value::from(Serde(targets)) };
    let key_rules: Vec<usize> = targets.iter().map(|t| t.key_rule).collect();
    run(tx, crate::sql!("merge/edges.sql"), context! { key_rules }, doing)?;
    for target in targets {
        run(tx, crate::sql!("merge/conflicts_table.sql"), Value::from(Serde(target)), doing)?;
    }
    run(tx, crate::sql!("merge/decide.sql"), all.clone(), doing)?;
    tx.batch_execute(crate::sql!("merge/close_over.sql")).cannot(doing)?;
    run(tx, crate::sql!("merge/hard.sql"), all, doing)?;
    functions(tx, targets, doing)
}

/// The functions that apply changes: one branch for each set of columns that the units change.
fn functions(tx: &mut Transaction<'_>, targets: &[Target], doing: &str) -> Result<()> {
    let mut all = Vec::new();
    for target in targets {
        let text = sql::render(crate::sql!("merge/signatures.sql"), context! { no => target.no })?;
        let rows = tx.query(&text, &[]).cannot(doing)?;
        let signatures: Vec<Value> = rows
            .iter()
            .map(|row| {
                let all: Vec<i32> = row.get(0);
                let strong = !row.get::<_, bool>(1);
                let changed = |i: usize| i32::try_from(i).is_ok_and(|i| all.contains(&i));
                let sets: Vec<_> =
                    target.columns.iter().filter(|c| changed(c.i) && c.data && !c.number && !c.stamped).collect();
                context! { all => all, strong, sets => Value::from(Serde(&sets)) }
            })
            .collect();
        let in_weak = |i: &usize| {
            rows.iter()
                .any(|r| r.get::<_, bool>(1) && r.get::<_, Vec<i32>>(0).contains(&i32::try_from(*i).unwrap_or(0)))
        };
        let weak_sets: Vec<_> = target
            .columns
            .iter()
            .filter(|c| target.weak.contains(&c.i) && in_weak(&c.i) && c.data && !c.number && !c.stamped)
            .collect();
        let this = context! { signatures, weak_sets => Value::from(Serde(&weak_sets)), ..Value::from(Serde(target)) };
        stage::run(tx, crate::sql!("merge/apply_table.sql"), this.clone(), doing)?;
        all.push(this);
    }
    stage::run(tx, crate::sql!("merge/apply.sql"), context! { tables => all }, doing)
}

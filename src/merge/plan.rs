//! Decides, before anything is applied, which units are held: conflicts found set-wise, decisions made, and everything that
//! depends on what is held.

use super::stage::{self, run};
use super::target::Target;
use crate::catalog::Catalog;
use crate::db::sql;
use crate::error::{Cannot, Result};
use minijinja::value::Serde;
use minijinja::{Value, context};
use postgres::Transaction;
use std::collections::BTreeSet;

/// Plans the staged units, writes nothing but temporary tables, and makes the functions that apply them.
pub fn plan(tx: &mut Transaction<'_>, targets: &[Target], catalog: &Catalog) -> Result<()> {
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
    functions(tx, targets, doing)?;
    checks(tx, targets, catalog, doing)?;
    run(tx, crate::sql!("merge/reconcile/note_values.sql"), super::reconcile::compared_tables(targets), doing)
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

/// The function that checks what was applied: references in both directions, guards, and what was written.
fn checks(tx: &mut Transaction<'_>, targets: &[Target], catalog: &Catalog, doing: &str) -> Result<()> {
    let mut tables = Vec::new();
    for target in targets {
        let this = Value::from(Serde(target));
        let (mut list, mut read): (Vec<Value>, BTreeSet<usize>) = (Vec::new(), BTreeSet::new());
        let mut add = |kind: &str, reason: String, text: &str, holds: Option<&str>, context: Value| -> Result<()> {
            let context = context! { ..context, ..this.clone() };
            let holds = holds.map_or_else(|| Ok("false".to_owned()), |holds| sql::render(holds, context.clone()))?;
            list.push(context! { text => sql::render(text, context)?, holds, kind, reason });
            Ok(())
        };
        for key in catalog.get(&target.of).map_or(&[][..], |t| &t.foreign_keys) {
            let Some(columns) = target.keys(&key.columns) else { continue };
            read.extend(columns.iter().map(|k| k.i));
            let context = context! { columns => Value::from(Serde(&columns)), to_table => key.to().sql(), to_columns => key.to_columns.clone() };
            let holds = Some(crate::sql!("merge/check_child_holds.sql"));
            let text = crate::sql!("merge/check_child.sql");
            add("parent", format!("foreign key {}", key.name), text, holds, context)?;
        }
        for watch in &target.watches {
            let reason = format!("guard of {}: {} was changed on the primary", watch.column, watch.to_name);
            add("parent", reason, crate::sql!("merge/check_guard.sql"), None, Value::from(Serde(watch)))?;
        }
        for (from, key) in catalog.references_to(&target.of) {
            let Some(columns) = target.keys(&key.to_columns) else { continue };
            let context = context! { columns => Value::from(Serde(&columns)), from_table => from.name.sql(), from_columns => key.columns.clone() };
            let reason = format!("foreign key {} of {}", key.name, from.name);
            let holds = Some(crate::sql!("merge/check_parent_holds.sql"));
            add("parent", reason, crate::sql!("merge/check_parent.sql"), holds, context)?;
        }
        let reason = "the primary does not keep what was written (a trigger or rule there changes it)".to_owned();
        add("rule", reason, crate::sql!("merge/read_back.sql"), None, context! {})?;
        tables.push(context! { no => target.no, columns => read.into_iter().collect::<Vec<_>>(), checks => list });
    }
    run(tx, crate::sql!("merge/check_range.sql"), context! { tables }, doing)
}

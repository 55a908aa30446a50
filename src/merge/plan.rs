//! Decides, before anything is applied, which units are held: conflicts found set-wise, decisions made, and everything that
//! depends on what is held.

use super::apply;
use super::statements::{Statements, run};
use super::target::Target;
use crate::catalog::Catalog;
use crate::db::sql;
use crate::error::Result;
use minijinja::value::Serde;
use minijinja::{Value, context};
use std::collections::BTreeSet;

/// Plans the staged units, writes nothing but temporary tables, and makes the functions that apply them.
pub fn plan(to: &mut impl Statements, targets: &[Target], catalog: &Catalog, search_path: &str) -> Result<()> {
    let doing = "plan the merge";
    let all = context! { tables => Value::from(Serde(targets)) };
    let key_rules: Vec<usize> = targets.iter().map(|t| t.key_rule).collect();
    run(to, crate::sql!("merge/edges.sql"), context! { key_rules }, doing)?;
    for target in targets {
        run(to, crate::sql!("merge/conflicts_table.sql"), Value::from(Serde(target)), doing)?;
    }
    run(to, crate::sql!("merge/decide.sql"), all.clone(), doing)?;
    to.take(crate::sql!("merge/close_over.sql"), doing)?;
    run(to, crate::sql!("merge/hard.sql"), all, doing)?;
    apply::functions(to, targets, search_path)?;
    checks(to, targets, catalog, doing)?;
    run(to, crate::sql!("merge/reconcile/note_values.sql"), super::reconcile::compared_tables(targets), doing)
}

/// The function that checks what was applied: references in both directions, guards, and what was written.
fn checks(to: &mut impl Statements, targets: &[Target], catalog: &Catalog, doing: &str) -> Result<()> {
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
        let columns: Vec<usize> = read.into_iter().collect();
        tables.push(context! { no => target.no, columns, checks => list });
    }
    run(to, crate::sql!("merge/check_range.sql"), context! { tables }, doing)
}

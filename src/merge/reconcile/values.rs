//! The columns that a read-back compares: money and groups, as SQL over a staged image and over the primary's row.

use crate::db::sql::ident;
use crate::merge::target::Target;
use crate::money;
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

/// One money or group column of a table.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// Place among the columns of the table that are compared, 1 the first.
    pub at: usize,
    /// Position in the staged images.
    pub i: usize,
    pub name: String,
    pub money: bool,
    /// False of what the merge does not leave as captured: counters, stamps, official numbers. Then it only names the group.
    pub kept: bool,
    /// SQL, as text, never NULL: of the new image of `s`, and of the primary's row `t`.
    pub new: String,
    pub there: String,
}

/// Money columns first, then groups; none when the table has no money.
pub fn compared(target: &Target) -> Vec<Compared> {
    let mut list: Vec<Compared> = Vec::new();
    let kept = |i: usize| {
        target.columns.iter().any(|c| {
            c.i == i && !c.counter && !c.number && !c.stamped && !target.assigns.iter().any(|a| a.name == c.name)
        })
    };
    for m in &target.money {
        let there = format!("t.{}::{}", ident(&m.column), m.type_name);
        list.push(Compared {
            at: list.len() + 1,
            i: m.i,
            name: m.column.clone(),
            money: true,
            kept: kept(m.i),
            new: format!("({})::text", money::amount(&m.type_name, &format!("s.n{}", m.i))),
            there: format!("({})::text", money::amount(&m.type_name, &there)),
        });
    }
    for g in &target.group {
        if target.money.is_empty() || target.money.iter().any(|m| m.i == g.i) {
            continue;
        }
        list.push(Compared {
            at: list.len() + 1,
            i: g.i,
            name: g.name.clone(),
            money: false,
            kept: kept(g.i),
            new: format!("coalesce(s.n{}::text, '')", g.i),
            there: format!("coalesce(t.{}::{}::text, '')", ident(&g.name), g.type_name),
        });
    }
    list
}

/// The tables with money, for `note_values.sql`: only the columns whose values must stay.
pub fn compared_tables(targets: &[Target]) -> Value {
    let tables: Vec<Value> = targets
        .iter()
        .filter_map(|target| {
            let values: Vec<Compared> = compared(target).into_iter().filter(|v| v.kept).collect();
            let own = Value::from(Serde(target));
            (!values.is_empty()).then(|| context! { values => Value::from(Serde(&values)), ..own })
        })
        .collect();
    context! { tables }
}

/// SQL for the group of an image of `s`: `pay_method=CASH`, several after each other, empty when the table has none.
pub fn group(target: &Target, image: char) -> String {
    let part = |name: &str, i: usize| {
        format!("{} || coalesce(s.{image}{i}::text, '')", crate::db::sql::literal(&format!("{name}=")))
    };
    let parts: Vec<String> = target.group.iter().map(|g| part(&g.name, g.i)).collect();
    if parts.is_empty() { "''".to_owned() } else { format!("concat_ws(', ', {})", parts.join(", ")) }
}

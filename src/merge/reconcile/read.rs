//! Brings an event's batches back into temporary tables of the primary, whatever became of their units, and counts them there.

use super::values;
use crate::catalog::Catalog;
use crate::db::Transaction;
use crate::error::{Cannot, Result};
use crate::merge::link;
use crate::merge::stage::{self, Input};
use crate::merge::statements::run;
use crate::merge::target::Target;
use crate::money;
use crate::profile::Profile;
use minijinja::value::Serde;
use minijinja::{Value, context};

const DOING: &str = "read the captured units back";

/// Stages `input`, of which the changes of `event` are counted; what later events did to the same rows comes after them.
pub fn stage(
    tx: &mut Transaction<'_>,
    input: &Input<'_>,
    event: &str,
    catalog: &Catalog,
    profile: &Profile,
) -> Result<()> {
    stage::read(tx, input)?;
    tx.batch_execute(crate::sql!("merge/order_units.sql")).cannot(DOING)?;
    tx.batch_execute(crate::sql!("merge/reconcile/begin.sql")).cannot(DOING)?;
    for target in input.targets {
        let context = context! { event, ..Value::from(Serde(target)) };
        run(tx, crate::sql!("merge/reconcile/count.sql"), context, DOING)?;
    }
    link::repoint(tx, input.targets)?;
    for target in input.targets {
        one(tx, target, event)?;
    }
    for entry in profile.captured().filter(|t| !input.targets.iter().any(|o| o.of == t.name)) {
        if catalog.get(&entry.name).is_some() {
            let context = context! { name => entry.name.to_string(), table => entry.name.sql() };
            run(tx, crate::sql!("merge/reconcile/captured_none.sql"), context, DOING)?;
        }
    }
    Ok(())
}

fn one(tx: &mut Transaction<'_>, target: &Target, event: &str) -> Result<()> {
    stage::join_moved(tx, target, DOING)?;
    let own = Value::from(Serde(target));
    run(tx, crate::sql!("merge/reconcile/changes.sql"), context! { event, ..own.clone() }, DOING)?;
    run(tx, crate::sql!("merge/reconcile/captured.sql"), own.clone(), DOING)?;
    if target.money.is_empty() {
        return Ok(());
    }
    let amounts: Vec<Value> = target
        .money
        .iter()
        .map(|m| {
            let of = |image: char| money::amount(&m.type_name, &format!("s.{image}{}", m.i));
            context! { column => m.column.clone(), old => of('o'), new => of('n') }
        })
        .collect();
    let (group_old, group_new) = (values::group(target, 'o'), values::group(target, 'n'));
    let flow = context! { money => amounts, group_old, group_new, ..own.clone() };
    run(tx, crate::sql!("merge/reconcile/flow.sql"), flow, DOING)?;
    let compared = values::compared(target);
    let rows = context! { values => Value::from(Serde(&compared)), ..own };
    run(tx, crate::sql!("merge/reconcile/rows.sql"), rows, DOING)
}

/// A counter that is below zero on a row that the event changed it of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Oversold {
    pub table: String,
    pub column: String,
    /// JSON object of the key's columns.
    pub key: serde_json::Value,
    pub now: String,
}

/// Slots, stock and balances that are below zero now; nothing that a merge could have known better.
pub fn oversold(tx: &mut Transaction<'_>, targets: &[Target]) -> Result<Vec<Oversold>> {
    let mut found = Vec::new();
    for target in targets {
        let counters: Vec<_> = target.columns.iter().filter(|c| c.counter).collect();
        if counters.is_empty() {
            continue;
        }
        let context = context! { counters => Value::from(Serde(&counters)), ..Value::from(Serde(target)) };
        let text = crate::db::sql::render(crate::sql!("merge/reconcile/oversold.sql"), context)?;
        let doing = || format!("look for counters of '{}' below zero", target.name);
        for row in tx.query(&text, &[]).cannot(doing())? {
            found.push(Oversold {
                table: target.name.clone(),
                column: row.get(1),
                key: serde_json::from_str(row.get(0)).cannot(doing())?,
                now: row.get(2),
            });
        }
    }
    Ok(found)
}

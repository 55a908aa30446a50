//! Triggers of one table that would fire in replica role too, off and on again within one transaction.

use crate::catalog::Name;
use crate::db::{Transaction, sql};
use crate::error::{Cannot, Result};
use minijinja::context;

/// A trigger that was switched off: its table, quoted, its name, and how it was switched on.
#[derive(Debug)]
pub struct Off {
    table: String,
    trigger: String,
    how: &'static str,
}

/// Switches off what would fire in replica role too: gate, capture, and such triggers of the HIS. `table` is quoted.
pub fn off(tx: &mut Transaction, table: &str, doing: &str) -> Result<Vec<Off>> {
    let rows = tx.query(crate::sql!("load/delta/triggers.sql"), &[&table]).cannot(doing)?;
    let mut off = Vec::new();
    for row in rows {
        let table = Name { schema: row.get(0), name: row.get(1) }.sql();
        let how = if row.get::<_, &str>(3) == "R" { "ENABLE REPLICA" } else { "ENABLE ALWAYS" };
        let trigger: String = row.get(2);
        let context = context! { table => table.clone(), trigger => trigger.clone(), how => "DISABLE" };
        tx.batch_execute(&sql::render(crate::sql!("load/delta/trigger.sql"), context)?).cannot(doing)?;
        off.push(Off { table, trigger, how });
    }
    Ok(off)
}

/// Switches them on again as they were.
pub fn on(tx: &mut Transaction, off: Vec<Off>, doing: &str) -> Result<()> {
    for Off { table, trigger, how } in off {
        let text = sql::render(crate::sql!("load/delta/trigger.sql"), context! { table, trigger, how })?;
        tx.batch_execute(&text).cannot(doing)?;
    }
    Ok(())
}

//! What is inside a standby database: generations, the gate that keeps windows out, the capture that lets nothing escape.

pub mod columns;
mod gate;
mod generation;
mod install;
pub mod numbers;
pub mod roles;
pub mod triggers;

pub use gate::{Ended, close, open};
pub use generation::{CLOSED_DATABASE, Gate, Generation, databases, record};
pub use install::{guard, install};

use crate::catalog::Name;
use crate::db::{self, Client};
use crate::error::{Cannot, Result};

/// Makes the control objects of a generation in an empty database or a freshly loaded one; closed.
pub fn control(client: &mut Client) -> Result<()> {
    let doing = "make the control objects of the standby";
    client.batch_execute(crate::sql!("standby/control.sql")).cannot(doing)?;
    client.batch_execute(crate::sql!("paper/tables.sql")).cannot(doing)
}

/// A captured table as the generation has it; its changes are in `his_emergency.change_<no>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    pub no: i32,
    pub table: Name,
    pub columns: Vec<String>,
    /// Base types, in the order of the columns.
    pub types: Vec<String>,
    pub key: Vec<String>,
    pub money: Vec<String>,
}

/// The captured tables of the generation that `client` is connected to.
pub fn captured(client: &mut impl crate::db::GenericClient) -> Result<Vec<Captured>> {
    let rows = client.query(crate::sql!("standby/captured.sql"), &[]).cannot("read what the standby captures")?;
    let table = |row: tokio_postgres::Row| Captured {
        no: row.get(0),
        table: Name { schema: row.get(1), name: row.get(2) },
        columns: row.get(3),
        types: row.get(4),
        key: row.get(5),
        money: row.get(6),
    };
    Ok(rows.into_iter().map(table).collect())
}

/// Units captured in this generation, and how many of them are in no batch yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Units {
    pub captured: u64,
    pub unexported: u64,
}

/// Counts the units of the generation that `client` is connected to.
pub fn units(client: &mut impl crate::db::GenericClient) -> Result<Units> {
    let tables: Vec<i32> = captured(client)?.iter().map(|t| t.no).collect();
    if tables.is_empty() {
        return Ok(Units::default());
    }
    let text = db::sql::render(crate::sql!("standby/units.sql"), minijinja::context! { tables })?;
    let row = client.query_one(&text, &[]).cannot("count the units of the standby")?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(Units { captured: count(row.get(0)), unexported: count(row.get(1)) })
}

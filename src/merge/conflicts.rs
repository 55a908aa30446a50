//! Conflicts that wait for a person: the list, and one in detail.

use super::ledger;
use crate::cli::Site;
use crate::db::Client;
use crate::error::{Cannot, Error, Result};
use serde_json::{Map, Value};
use tokio_postgres::Row;

/// One conflict, as the ledger has it.
#[derive(Debug, Clone)]
pub struct Conflict {
    pub id: i64,
    /// `EVENT/G-XID`.
    pub unit: String,
    pub table: Option<String>,
    /// JSON object of the key's columns.
    pub key: Value,
    pub kind: String,
    /// The rule that it is about: a constraint, `same_as`, the column of a `once`, `guard COLUMN`.
    pub rule: String,
    pub reason: String,
    /// `{"op", "old", "new"}`, values as text.
    pub standby: Value,
    /// The primary's row, values as text; null when there is none.
    pub primary: Value,
    pub differ: Vec<String>,
    /// Units that wait for this one.
    pub holds: Vec<String>,
}

/// Another change of the same unit.
#[derive(Debug, Clone)]
pub struct Change {
    pub table: String,
    pub op: String,
    /// In the order of the table.
    pub columns: Vec<String>,
    pub old: Map<String, Value>,
    pub new: Map<String, Value>,
}

/// One conflict with everything that its unit did.
#[derive(Debug, Clone)]
pub struct Detail {
    pub conflict: Conflict,
    pub status: String,
    pub at: Option<chrono::DateTime<chrono::Utc>>,
    pub user: Option<String>,
    pub application: Option<String>,
    pub address: Option<String>,
    pub changes: Vec<Change>,
    /// Table, column and amount of what the unit took or gave.
    pub money: Vec<(String, String, String)>,
    /// What was decided: standby, primary or link; by whom and why.
    pub decided: Option<(String, Option<String>, Option<String>)>,
}

/// All that wait; of one event, or of all.
pub fn list(client: &mut Client, event: Option<&str>) -> Result<Vec<Conflict>> {
    if !ledger::is_there(client)? {
        return Ok(Vec::new());
    }
    let rows = client.query(crate::sql!("merge/conflicts.sql"), &[&event]).cannot("list the conflicts")?;
    Ok(rows.iter().map(read).collect())
}

/// A session on the primary that only looks.
pub fn look(site: &Site) -> Result<Client> {
    site.profile.primary()?.named("his-merge").connect()
}

/// One conflict, decided or not.
pub fn one(client: &mut Client, id: i64) -> Result<Detail> {
    let doing = || format!("show the conflict '{id}'");
    let none =
        || Error::usage(doing(), "the ledger has no such conflict").hint("his-merge conflicts lists those there are.");
    if !ledger::is_there(client)? {
        return Err(none());
    }
    let row = client.query_opt(crate::sql!("merge/conflict.sql"), &[&id]).cannot(doing())?.ok_or_else(none)?;
    let conflict = read(&row);
    let changes = client.query(crate::sql!("merge/conflict_changes.sql"), &[&conflict.unit]).cannot(doing())?;
    let money = client.query(crate::sql!("merge/conflict_money.sql"), &[&conflict.unit]).cannot(doing())?;
    let decided: Option<String> = row.get("take");
    Ok(Detail {
        status: row.get("status"),
        at: row.get("at"),
        user: row.get("db_user"),
        application: row.get("application"),
        address: row.get("address"),
        changes: changes.iter().map(change).collect(),
        money: money.iter().map(|r| (r.get(0), r.get(1), r.get(2))).collect(),
        decided: decided.map(|take| (take, row.get("decided_by"), row.get("why"))),
        conflict,
    })
}

fn read(row: &Row) -> Conflict {
    Conflict {
        id: row.get(0),
        unit: row.get(1),
        table: row.get(2),
        key: json(row.get(3)),
        kind: row.get(4),
        reason: row.get(5),
        standby: json(row.get(6)),
        primary: json(row.get(7)),
        differ: row.get(8),
        rule: row.get(9),
        holds: row.get(10),
    }
}

fn json(text: Option<&str>) -> Value {
    text.and_then(|t| serde_json::from_str(t).ok()).unwrap_or(Value::Null)
}

fn change(row: &Row) -> Change {
    let columns: Vec<String> = row.get(2);
    let op: String = row.get(1);
    let image = |there: bool, values: Vec<Option<String>>| {
        if there { columns.iter().cloned().zip(values.into_iter().map(Value::from)).collect() } else { Map::new() }
    };
    Change { table: row.get(0), old: image(op != "I", row.get(3)), new: image(op != "D", row.get(4)), op, columns }
}

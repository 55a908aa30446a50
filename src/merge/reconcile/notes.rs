//! What stands beside the sheet, by name: what policies decided, rows that were linked, rows that were there already.

use crate::db::Client;
use crate::error::{Cannot, Result};
use serde::Serialize;
use serde_json::Value;

/// What the `on_conflict` of a table decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    pub table: String,
    /// standby or primary.
    pub take: String,
    /// Of the conflict.
    pub kind: String,
    pub unit: String,
    pub key: Value,
}

/// A row that a person found to be one of the primary: its money counts as merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Linked {
    pub unit: String,
    pub table: String,
    /// Key of the primary's row.
    pub to: Value,
    pub by: Option<String>,
    pub why: Option<String>,
}

/// A row that the primary had already, whole and equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Already {
    pub unit: String,
    pub table: String,
    pub key: Value,
}

/// The ledger's lists of one event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    pub policies: Vec<Policy>,
    pub linked: Vec<Linked>,
    pub already: Vec<Already>,
}

impl Notes {
    pub fn read(client: &mut Client, event: &str) -> Result<Notes> {
        let doing = "read the merge ledger";
        let json = |text: Option<&str>| text.and_then(|t| serde_json::from_str(t).ok()).unwrap_or(Value::Null);
        let mut notes = Notes::default();
        for r in client.query(crate::sql!("merge/reconcile/policies.sql"), &[&event]).cannot(doing)? {
            let table = r.get::<_, Option<String>>(0).unwrap_or_default();
            let policy = Policy { table, take: r.get(1), kind: r.get(2), unit: r.get(3), key: json(r.get(4)) };
            notes.policies.push(policy);
        }
        for r in client.query(crate::sql!("merge/reconcile/linked.sql"), &[&event]).cannot(doing)? {
            let to = json(r.get(2));
            notes.linked.push(Linked { unit: r.get(0), table: r.get(1), to, by: r.get(3), why: r.get(4) });
        }
        for r in client.query(crate::sql!("merge/reconcile/already.sql"), &[&event]).cannot(doing)? {
            notes.already.push(Already { unit: r.get(0), table: r.get(1), key: json(r.get(2)) });
        }
        Ok(notes)
    }

    /// Decisions by table, side and kind, with their count.
    #[must_use]
    pub fn policies_counted(&self) -> Vec<(String, u64)> {
        let mut counts: Vec<(String, u64)> = Vec::new();
        for p in &self.policies {
            let name = format!("{} on_conflict = {} ({})", p.table, p.take, p.kind);
            match counts.iter_mut().find(|(n, _)| *n == name) {
                Some((_, count)) => *count += 1,
                None => counts.push((name, 1)),
            }
        }
        counts
    }
}

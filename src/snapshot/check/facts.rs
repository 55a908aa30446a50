//! What the primary's database says beyond the catalog of its tables.

use crate::catalog::Name;
use crate::db::Client;
use crate::error::{Cannot, Result};
use crate::profile::Profile;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

const DOING: &str = "read what the primary's database is like";

/// A sequence and what limits its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    pub increment: i64,
    /// The largest number of its type.
    pub type_max: i64,
    /// `None`: never used, or not readable.
    pub last: Option<i64>,
    pub users: Vec<User>,
}

/// A column that draws its numbers from a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub table: Name,
    pub column: String,
    /// The largest number of the column's type.
    pub max: i64,
}

/// A view that is written through an INSTEAD OF trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsteadOf {
    pub view: Name,
    pub trigger: String,
    /// A table that the view reads.
    pub table: Name,
}

#[derive(Debug, Clone)]
pub struct Facts {
    pub sequences: BTreeMap<Name, Sequence>,
    pub instead_of: Vec<InsteadOf>,
    /// Table and rule.
    pub rules: Vec<(Name, String)>,
    /// Table and what inherits from it.
    pub inherited: Vec<(Name, Name)>,
    pub server_version: u32,
    pub system_identifier: String,
    pub clock_apart_seconds: i64,
    pub encoding: String,
    pub large_objects: bool,
    pub materialized_views: Vec<String>,
    pub extensions: Vec<String>,
    pub missing_roles: Vec<String>,
}

impl Facts {
    pub fn read(client: &mut Client, profile: &Profile) -> Result<Facts> {
        let row =
            client.query_one(crate::sql!("snapshot/check/primary.sql"), &[&profile.window_roles]).cannot(DOING)?;
        Ok(Facts {
            sequences: sequences(client)?,
            instead_of: instead_of(client)?,
            rules: rules(client)?,
            inherited: inherited(client)?,
            server_version: u32::try_from(row.get::<_, i32>("server_version")).unwrap_or(0),
            system_identifier: row.get("system_identifier"),
            clock_apart_seconds: (row.get::<_, DateTime<Utc>>("now") - Utc::now()).num_seconds(),
            encoding: row.get("encoding"),
            large_objects: row.get("large_objects"),
            materialized_views: row.get("materialized_views"),
            extensions: row.get("extensions"),
            missing_roles: row.get("missing_roles"),
        })
    }
}

fn sequences(client: &mut Client) -> Result<BTreeMap<Name, Sequence>> {
    let mut found: BTreeMap<Name, Sequence> = BTreeMap::new();
    for row in client.query(crate::sql!("snapshot/check/sequences.sql"), &[]).cannot(DOING)? {
        let name = Name { schema: row.get("schema"), name: row.get("name") };
        let sequence = found.entry(name).or_insert_with(|| Sequence {
            increment: row.get("increment"),
            type_max: row.get("type_max"),
            last: row.get("last"),
            users: Vec::new(),
        });
        if let Some(schema) = row.get::<_, Option<String>>("table_schema") {
            sequence.users.push(User {
                table: Name { schema, name: row.get("table_name") },
                column: row.get("column_name"),
                max: row.get("column_max"),
            });
        }
    }
    Ok(found)
}

fn instead_of(client: &mut Client) -> Result<Vec<InsteadOf>> {
    let rows = client.query(crate::sql!("snapshot/check/instead_of.sql"), &[]).cannot(DOING)?;
    let trigger = |r: &tokio_postgres::Row| InsteadOf {
        view: Name { schema: r.get("view_schema"), name: r.get("view_name") },
        trigger: r.get("trigger"),
        table: Name { schema: r.get("schema"), name: r.get("name") },
    };
    Ok(rows.iter().map(trigger).collect())
}

fn rules(client: &mut Client) -> Result<Vec<(Name, String)>> {
    let rows = client.query(crate::sql!("snapshot/check/rules.sql"), &[]).cannot(DOING)?;
    Ok(rows.iter().map(|r| (Name { schema: r.get("schema"), name: r.get("name") }, r.get("rule"))).collect())
}

fn inherited(client: &mut Client) -> Result<Vec<(Name, Name)>> {
    let rows = client.query(crate::sql!("snapshot/check/inherited.sql"), &[]).cannot(DOING)?;
    let pair = |r: &tokio_postgres::Row| {
        let parent = Name { schema: r.get("schema"), name: r.get("name") };
        (parent, Name { schema: r.get("child_schema"), name: r.get("child_name") })
    };
    Ok(rows.iter().map(pair).collect())
}

//! What a script asks the primary before it touches anything.

use super::psql::{Psql, bare};
use crate::catalog::{Catalog, Name, Table};
use crate::cli::Site;
use crate::error::{Error, Result};
use crate::formats::snapshot::{Manifest, Marks};
use crate::merge::statements::run;
use crate::merge::target::Target;
use crate::profile::Triggers;
use crate::queue::Batch;
use crate::snapshot;
use minijinja::{Value, context};
use serde_json::json;
use std::collections::BTreeMap;

const DOING: &str = "write a script of the merge";

/// The primary as a snapshot knows it.
pub struct Origin {
    pub manifest: Manifest,
    pub marks: Marks,
    pub catalog: Catalog,
}

/// Reads the snapshot `id`; refuses when it is not there, or too old to tell what a merge must know.
pub fn origin(site: &Site, id: &str) -> Result<Origin> {
    let again =
        "take a new snapshot of the primary, or of a replica of it (his-snapshot), and name it with --snapshot.";
    if id.is_empty() || !site.store.snapshots().join(id).is_dir() {
        let which = if id.is_empty() { "their snapshot".to_owned() } else { format!("the snapshot '{id}'") };
        return Err(Error::refused(
            DOING,
            format!("what the primary's tables are is not known: {which} is not in the store"),
        )
        .hint(again));
    }
    let manifest = snapshot::open(&site.store, Some(id))?.manifest;
    let Some(marks) = manifest.primary.marks.clone() else {
        let reason =
            format!("the snapshot '{id}' is of an earlier version, and does not know what else refers to its tables");
        return Err(Error::refused(DOING, reason).hint(again));
    };
    let tables = manifest.tables.iter().map(|t| &t.described).chain(&manifest.related).cloned();
    let catalog = Catalog::of(tables);
    Ok(Origin { manifest, marks, catalog })
}

/// Writes the guards, and what they need: the ledger, made if it is not there, and the list of the batches.
pub fn write(to: &mut Psql, site: &Site, batches: &[Batch], origin: &Origin, targets: &[Target]) -> Result<()> {
    let m = &origin.manifest;
    let mut systems: Vec<String> = batches.iter().map(|b| b.manifest.primary_system_identifier.clone()).collect();
    systems.push(m.primary.system_identifier.clone());
    systems.retain(|s| !s.is_empty());
    systems.sort();
    systems.dedup();
    let server = context! {
        systems, database_oid => origin.marks.database_oid, next_xid => m.primary.next_xid, timeline => origin.marks.timeline,
        wal => if origin.marks.wal.is_empty() { "0/0" } else { &origin.marks.wal }, snapshot => m.snapshot.clone(),
        newest => crate::sql!("merge/backfill/newest.sql"), stands_for => crate::sql!("merge/backfill/stands_for.sql"),
    };
    run(to, crate::sql!("merge/script/guard_server.sql"), server, DOING)?;
    schema(to, site, origin, targets)?;
    to.ask(&format!("SELECT q.there AS ledger FROM ({}) q (there)", bare(crate::sql!("merge/ledger_there.sql"))));
    to.meta("if :his_ledger");
    to.add(crate::sql!("merge/ledger_later.sql"));
    to.meta("else");
    to.add(crate::sql!("merge/ledger.sql"));
    to.meta("endif");
    let list = batches.iter().map(|b| {
        let m = &b.manifest;
        context! { event => m.event.clone(), epoch => m.epoch, batch => m.batch, sha256 => b.sha256.clone(), previous => m.previous.clone() }
    });
    let list: Vec<Value> = list.collect();
    run(to, crate::sql!("merge/script/batches.sql"), context! { batches => list }, DOING)?;
    let known: BTreeMap<&str, Vec<&str>> =
        targets.iter().map(|t| (t.name.as_str(), t.columns.iter().map(|c| c.name.as_str()).collect())).collect();
    let run_no = site.store.state()?.merge_run.max(m.ledger.run);
    let ledger = context! {
        run => run_no, to_settle => crate::sql!("merge/backfill/to_settle.sql"), held_tables => crate::sql!("merge/held_tables.sql"),
        known => json!(known).to_string(),
    };
    run(to, crate::sql!("merge/script/guard_ledger.sql"), ledger, DOING)
}

/// Compares the tables that the plan knows with those that are there.
fn schema(to: &mut Psql, site: &Site, origin: &Origin, targets: &[Target]) -> Result<()> {
    let catalog = &origin.catalog;
    let mut tables: Vec<Value> = Vec::new();
    let mut parents: BTreeMap<Name, &Table> = BTreeMap::new();
    for target in targets {
        let Some(table) = catalog.get(&target.of) else { continue };
        for parent in table.foreign_keys.iter().filter_map(|f| catalog.get(&f.to())) {
            parents.insert(parent.name.clone(), parent);
        }
        let refire = site.profile.table(&target.of).is_some_and(|t| t.triggers == Triggers::Refire);
        // The other way of a table under `refire` is that of one without triggers.
        let fires = refire.then_some(!target.replay);
        let mut outline = outline(table);
        outline["referenced_by"] = referenced_by(catalog, &target.of);
        tables.push(context! { table => target.name.clone(), kind => "merged", fires, outline => outline.to_string() });
    }
    parents.retain(|name, _| !targets.iter().any(|t| t.of == *name));
    for (name, table) in parents {
        let (table, none) = (outline(table).to_string(), None::<bool>);
        tables.push(context! { table => name.to_string(), kind => "parent", fires => none, outline => table });
    }
    let context = context! { tables, catalog => bare(crate::sql!("catalog/tables.sql")) };
    run(to, crate::sql!("merge/script/guard_schema.sql"), context, DOING)
}

/// Of a table what the merge depends on.
fn outline(table: &Table) -> serde_json::Value {
    let column =
        |c: &crate::catalog::Column| json!({ "name": c.name, "base_type": c.base_type, "generated": c.generated });
    json!({
        "schema": table.name.schema, "name": table.name.name, "partitioned": table.partitioned,
        "columns": table.columns.iter().map(column).collect::<Vec<_>>(),
        "uniques": table.uniques, "foreign_keys": table.foreign_keys,
    })
}

/// The foreign keys that refer to a table, as the script puts them together from the primary's catalog; null without any.
fn referenced_by(catalog: &Catalog, name: &Name) -> serde_json::Value {
    let mut keys: Vec<_> = catalog.references_to(name).collect();
    keys.sort_by_key(|(t, f)| (&t.name, &f.name));
    let list: Vec<_> = keys
        .into_iter()
        .map(|(table, key)| {
            let mut key = json!(key);
            if let Some(fields) = key.as_object_mut() {
                fields.remove("validated");
            }
            json!([table.name.schema, table.name.name, key])
        })
        .collect();
    if list.is_empty() { serde_json::Value::Null } else { json!(list) }
}

//! What a snapshot keeps for the day on which its primary is restored from a backup: marks by which that is recognised, the
//! merge ledger, and the tables that hang together with those that are downloaded.

use super::sink::{self, Sink};
use super::tables::copy_into;
use crate::catalog::{Catalog, Name, Table};
use crate::db::{Client, sql};
use crate::error::{Cannot, Error, Result};
use crate::formats::snapshot::{LedgerTable, Marks};
use crate::seal::Seal;
use crate::store::durable;
use minijinja::context;
use std::collections::BTreeSet;
use std::path::Path;
use tokio_postgres::error::SqlState;

/// Where the server stands now.
pub fn marks(client: &mut Client, tables: &[&Name]) -> Result<Marks> {
    let doing = "read where the primary stands";
    let quoted: Vec<String> = tables.iter().map(|t| t.sql()).collect();
    let row = client.query_one(crate::sql!("snapshot/marks.sql"), &[&quoted]).cannot(doing)?;
    let oids: Vec<u32> = row.get("tables");
    let shapes: Vec<Option<String>> = row.get("shapes");
    Ok(Marks {
        database_oid: row.get("database_oid"),
        timeline: u32::try_from(row.get::<_, i32>("timeline")).unwrap_or(0),
        wal: row.get::<_, Option<String>>("wal").unwrap_or_default(),
        tables: tables.iter().map(ToString::to_string).zip(oids).collect(),
        started: Some(row.get("started")),
        shapes: tables.iter().zip(shapes).filter_map(|(table, shape)| Some((table.to_string(), shape?))).collect(),
    })
}

/// Tables that are not among `downloaded`, and that reference one of them, are referenced by one, or are partitions of one.
pub fn related(catalog: &Catalog, downloaded: &[&Table]) -> Vec<Table> {
    let mut names = BTreeSet::new();
    for table in downloaded {
        names.extend(catalog.leaves(table).iter().map(|t| t.name.clone()));
        names.extend(table.foreign_keys.iter().map(crate::catalog::ForeignKey::to));
        names.extend(catalog.references_to(&table.name).map(|(from, _)| from.name.clone()));
    }
    // Of a partition its parents too: a reference is to the topmost of them.
    for name in names.clone() {
        let mut above = catalog.get(&name).and_then(|t| t.parent.clone());
        while let Some(parent) = above {
            above = catalog.get(&parent).and_then(|t| t.parent.clone());
            names.insert(parent);
        }
    }
    names.retain(|n| !downloaded.iter().any(|t| t.name == *n));
    names.iter().filter_map(|n| catalog.get(n)).cloned().collect()
}

/// Copies the ledger into `ledger/` of the unfinished directory; each with the hash of its file as stored.
pub fn ledger(client: &mut Client, dir: &Path, seal: &Seal, compress: bool) -> Result<Vec<(LedgerTable, String)>> {
    let doing = "download the merge ledger";
    let rows = client.query(crate::sql!("snapshot/ledger_tables.sql"), &[]).cannot(doing)?;
    let mut stored = Vec::new();
    if !rows.is_empty() {
        durable::make_dir(&dir.join("ledger")).cannot(doing)?;
    }
    for row in rows {
        let (table, columns): (String, Vec<String>) = (row.get(0), row.get(1));
        let file = sink::file_name(&format!("ledger/{table}.csv"), seal, compress);
        let statement = sql::render(
            crate::sql!("snapshot/copy.sql"),
            context! { table => format!("his_emergency.{}", sql::ident(&table)), columns => columns.clone(), partitioned => false, filter => () },
        )?;
        let sink = Sink::open(dir.join(&file), seal.clone(), compress);
        let outcome = copy_into(client, &statement, &sink.feed(), &|e| explain(e, &table));
        let written = sink.finish();
        if !outcome? {
            written.cannot(doing)?;
            return Err(Error::failed(doing, "its file was closed before the table was read"));
        }
        let written = written.cannot(doing)?;
        let (rows, sha256) = (written.digested.rows, written.digested.sha256);
        stored.push((LedgerTable { table, file, rows, sha256, columns }, written.sha256));
    }
    Ok(stored)
}

fn explain(error: &tokio_postgres::Error, table: &str) -> Error {
    let (exit, reason, hint) = crate::db::reason::of(error);
    let told = Error::new(exit, format!("download 'his_emergency.{table}'"), reason);
    if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
        return told.hint("grant the role of [primary] url SELECT on all tables of the schema his_emergency (pg_read_all_data gives it).");
    }
    hint.into_iter().fold(told, Error::hint)
}

//! The way back from a delta: what it took the place of was kept, and is put back in one transaction.

use super::{PROGRAM, delta, schema};
use crate::catalog::Name;
use crate::db::GenericClient;
use crate::db::{Server, sql};
use crate::error::{Cannot, Error, Result};
use crate::standby::{Generation, triggers};
use minijinja::context;

/// A table of which something was kept.
pub struct Kept {
    pub no: i32,
    pub table: Name,
    pub columns: Vec<String>,
    /// Empty: all rows were kept.
    pub key: Vec<String>,
    pub partitioned: bool,
}

/// What a generation has kept for its way back; `None` when there is no way back.
pub fn kept(client: &mut impl GenericClient) -> Result<Option<Vec<Kept>>> {
    let doing = "read what the generation was before";
    let there: bool = client.query_one(crate::sql!("load/delta/has_before.sql"), &[]).cannot(doing)?.get(0);
    if !there {
        return Ok(None);
    }
    let rows = client.query(crate::sql!("load/delta/kept.sql"), &[]).cannot(doing)?;
    let kept = |r: &tokio_postgres::Row| Kept {
        no: r.get(0),
        table: Name { schema: r.get(1), name: r.get(2) },
        columns: r.get(3),
        key: r.get(4),
        partitioned: r.get(5),
    };
    Ok(Some(rows.iter().map(kept).collect()))
}

/// The generation as it was before its last delta; `None` when there is no way back.
pub fn before(standby: &Server, generation: &Generation) -> Result<Option<Generation>> {
    let mut client = standby.connect_to(&generation.database)?;
    if kept(&mut client)?.is_none() {
        return Ok(None);
    }
    let row = client
        .query_one(crate::sql!("load/delta/what_before.sql"), &[])
        .cannot("read what the generation was before")?;
    Ok(Some(Generation {
        snapshot: row.get(0),
        snapshot_sha256: row.get(1),
        taken_at: row.get(2),
        ledger_run: u64::try_from(row.get::<_, i64>(3)).unwrap_or(0),
        ..generation.clone()
    }))
}

/// Makes the generation what it was before its last delta.
pub fn go(standby: &Server, generation: &Generation) -> Result<()> {
    let doing = format!("take the last delta back from generation {}", generation.number);
    let mut client = standby.clone().named(PROGRAM).connect_to(&generation.database)?;
    let mut tx = client.transaction().cannot(&*doing)?;
    tx.batch_execute(crate::sql!("load/delta/session.sql")).cannot(&*doing)?;
    tx.batch_execute(crate::sql!("load/delta/begin.sql")).cannot(&*doing)?;
    // Its indexes may call functions that find others without a schema.
    tx.query(crate::sql!("standby/own_path.sql"), &[]).cannot(&*doing)?;
    let opened: Option<String> =
        tx.query_one(crate::sql!("load/delta/stands.sql"), &[]).cannot(&*doing)?.get("opened_event");
    let kept = kept(&mut tx)?.filter(|_| opened.is_none());
    let kept = kept.ok_or_else(|| {
        Error::refused(&*doing, "it was opened, or there is nothing to go back to").hint("look: his-load-standby list.")
    })?;
    for of in &kept {
        let table = of.table.sql();
        let off = triggers::off(&mut tx, &table, &doing)?;
        let mut run = |template: &str, context| tx.batch_execute(&sql::render(template, context)?).cannot(&*doing);
        let take =
            context! { table => table.clone(), partitioned => of.partitioned, kept => of.no, key => of.key.clone() };
        run(crate::sql!("load/delta/take_back.sql"), take)?;
        let from = format!("his_emergency.kept_{}", of.no);
        let put = context! { table, from, columns => of.columns.clone() };
        run(crate::sql!("load/delta/insert.sql"), put)?;
        triggers::on(&mut tx, off, &doing)?;
    }
    tx.batch_execute(crate::sql!("load/delta/back.sql")).cannot(&*doing)?;
    delta::forget(&mut tx, &kept, &doing)?;
    schema::refresh(&mut tx)?;
    tx.batch_execute(crate::sql!("load/delta/end.sql")).cannot(&*doing)?;
    tx.commit().cannot(doing)
}

//! `his-merge sql`: the same merge as one script for psql, for a primary that this machine may not reach; and the receipt
//! that the script prints there.
//!
//! The statements are those of a run, in the same order, from the same files: only what a run reads from the primary first
//! comes from the snapshot here, and is compared with the primary by the script itself.

mod guards;
mod psql;
pub mod receipt;
mod settled;

pub use settled::{Settled, by_receipt, covers, settle};

use super::chunk;
use super::plan;
use super::shape::{self, Shape};
use super::stage::{self, Input};
use super::statements::{Statements, run};
use super::target::{self, Target};
use crate::catalog::Catalog;
use crate::cli::{Outcome, Site};
use crate::db::sql::{self, literal};
use crate::error::{Cannot, Error, Result};
use crate::formats::batch::Manifest;
use crate::queue::Batch;
use crate::seal::Seal;
use crate::store::durable;
use guards::Origin;
use minijinja::{Value, context};
use psql::Psql;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The command line of `his-merge sql`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The batches, such as store/queue/01-0007/000001
    #[arg(value_name = "BATCH-DIR", required = true)]
    batches: Vec<PathBuf>,
    /// Where to write the script (default: standard output)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Whose tables the primary has now (default: those of the batches' own snapshot)
    #[arg(long, value_name = "ID")]
    snapshot: Option<String>,
}

/// `his-merge sql`.
pub fn command(site: &Site, args: &Args) -> Result<Outcome> {
    let script = write(site, &args.batches, args.snapshot.as_deref())?;
    let batches: Vec<serde_json::Value> = script
        .batches
        .iter()
        .map(|b| json!({ "event": b.manifest.event, "batch": b.manifest.batch, "sha256": b.sha256, "units": b.manifest.totals.units, "rows": b.manifest.totals.rows }))
        .collect();
    let mut object = json!({ "script": args.output, "snapshot": script.snapshot, "batches": batches });
    let Some(path) = &args.output else {
        object["sql"] = json!(script.text);
        return Ok(Outcome::new(object, script.text));
    };
    keep(path, &script.text)?;
    let text = format!(
        "'{}' merges {} batches of {}\non the primary: psql -X -f {0} -o receipt.txt DATABASE, then here: his-merge receipt receipt.txt\nit has the patients' data in it: carry it like them, and remove it after",
        path.display(),
        script.batches.len(),
        script.events().join(", "),
    );
    Ok(Outcome::new(object, text))
}

/// Writes the script, unless it is there already; never over something else.
fn keep(path: &Path, text: &str) -> Result<()> {
    let doing = || format!("write the script '{}'", path.display());
    if path.exists() {
        if std::fs::read(path).cannot(doing())? == text.as_bytes() {
            return Ok(());
        }
        return Err(
            Error::refused(doing(), "another file is there").hint("name another --output, or remove that file.")
        );
    }
    durable::create_new(path, text.as_bytes()).cannot(doing())
}

/// A script, and what it merges.
#[derive(Debug)]
pub struct Script {
    pub batches: Vec<Batch>,
    /// Whose catalog it was written for.
    pub snapshot: String,
    pub text: String,
}

impl Script {
    fn events(&self) -> Vec<String> {
        events(&self.batches)
    }
}

fn events(batches: &[Batch]) -> Vec<String> {
    let mut events: Vec<String> = batches.iter().map(|b| b.manifest.event.clone()).collect();
    events.dedup();
    events
}

/// Writes the merge of the batches in `dirs` for the primary whose tables `snapshot` shows, or their own snapshot.
pub fn write(site: &Site, dirs: &[PathBuf], snapshot: Option<&str>) -> Result<Script> {
    let batches = open(dirs, site.store.seal())?;
    let of = snapshot.unwrap_or_else(|| batches.last().map_or("", |b| &b.manifest.snapshot));
    let origin = guards::origin(site, of)?;
    let catalog = &origin.catalog;
    let shapes = shapes(site, &batches, catalog)?;
    let targets = target::targets(&shapes, catalog, &site.profile)?;
    let own = &origin.manifest.primary;
    let mut to = Psql::default();
    header(&mut to, &batches, &origin);
    to.heading("1. Is this the primary that the script was written for?");
    to.text += crate::sql!("merge/script/begin.sql");
    to.add(crate::sql!("merge/memory.sql"));
    guards::write(&mut to, site, &batches, &origin, &targets)?;

    to.heading("2. What the windows did on the standby");
    stage::read(
        &mut to,
        &Input { batches: &batches, shapes: &shapes, targets: &targets, search_path: &own.search_path },
    )?;
    require_rows(&mut to, &batches, &targets)?;
    to.ask(crate::sql!("merge/script/todo.sql"));
    to.meta("if :his_todo");

    to.heading("3. The plan: what of it fits this primary, and what is held for a person");
    stage::arrange(&mut to, &targets, None)?;
    plan::plan(&mut to, &targets, catalog, &own.search_path)?;
    to.add(crate::sql!("merge/make_chunks.sql"));
    to.add(crate::sql!("merge/script/one_chunk.sql"));
    chunk::set(&mut to, &targets)?;

    to.heading("4. The merge, and its ledger");
    carry_out(&mut to, &batches, &origin)?;
    to.meta("endif");
    to.text += "COMMIT;\n";

    to.heading("5. The receipt");
    receipt(&mut to)?;
    let Psql { text } = to;
    Ok(Script { batches, snapshot: origin.manifest.snapshot, text })
}

/// Opens the batches, each event's in the order of its chain and without a gap.
fn open(dirs: &[PathBuf], seal: &Seal) -> Result<Vec<Batch>> {
    let mut batches = dirs.iter().map(|d| Batch::open(d, seal)).collect::<Result<Vec<_>>>()?;
    batches.sort_by_key(|b| (b.manifest.epoch, b.manifest.batch));
    batches.dedup_by(|a, b| a.sha256 == b.sha256);
    if let Some(batch) = batches.iter().find(|b| b.manifest.drill) {
        return Err(Error::refused(doing(&batch.manifest), "it is of a drill; a drill's units are never merged")
            .hint("there is nothing to do with it."));
    }
    for pair in batches.windows(2).filter(|p| p[0].manifest.event == p[1].manifest.event) {
        let (before, batch) = (&pair[0], &pair[1]);
        if batch.manifest.batch != before.manifest.batch + 1 || batch.manifest.previous != before.sha256 {
            let reason = format!("it does not follow batch {} (SHA-256 {})", before.manifest.batch, before.sha256);
            return Err(Error::damaged(doing(&batch.manifest), reason).hint("give the batches between them as well."));
        }
    }
    Ok(batches)
}

fn doing(m: &Manifest) -> String {
    format!("write a script of batch {} of '{}'", m.batch, m.event)
}

/// The tables of the batches, and those of every other batch that the store has: units of them may be held.
fn shapes(site: &Site, batches: &[Batch], catalog: &Catalog) -> Result<Vec<Shape>> {
    let mut shapes = shape::of_batches(batches)?;
    let mut others: BTreeMap<String, (crate::catalog::Name, BTreeSet<String>)> = BTreeMap::new();
    for event in site.store.events()? {
        for (_, dir) in site.store.batches(&event)? {
            // One that cannot be read is not merged from here; the script refuses what it does not know.
            let Some(m) =
                std::fs::read(dir.join("manifest.json")).ok().and_then(|t| serde_json::from_slice::<Manifest>(&t).ok())
            else {
                continue;
            };
            for table in m.tables {
                let columns = &mut others.entry(table.table.to_string()).or_insert((table.table, BTreeSet::new())).1;
                columns.extend(table.columns.into_iter().map(|c| c.name));
            }
        }
    }
    for (table, names) in others.into_values() {
        let captured = site.profile.table(&table).is_some_and(|t| t.capture);
        let names: Vec<String> = names.into_iter().collect();
        if captured && let Some(shape) = shape::kept(&table, &names, catalog, &site.profile) {
            shape::add(&mut shapes, &shape)?;
        }
    }
    Ok(shapes)
}

/// What a person reads before running it.
fn header(to: &mut Psql, batches: &[Batch], origin: &Origin) {
    let lines = [
        "Merges what the windows did on the emergency standby back into the HIS primary: one transaction, all or nothing.",
        "Written by his-merge sql. To run it on the primary, as a superuser or the role of the merge:",
        "",
        "    psql -X -f FILE -o receipt.txt DATABASE",
        "",
        "then carry receipt.txt back and feed it in: his-merge receipt receipt.txt",
        "It refuses any other database, one whose tables changed, and one that lacks an earlier batch; then nothing is changed.",
        "Rows that it touches are locked until it is done, and it waits 3 s at most for a row that somebody else holds: choose a",
        "quiet moment, and run it again when it says that it gave up (canceling statement due to lock timeout).",
        "What does not fit the primary is held in the ledger (schema his_emergency) for a person, and everything else is merged.",
        "Run a second time it changes nothing and prints the same receipt. It has the patients' data in it: carry it like them.",
        "",
    ];
    lines.iter().for_each(|l| to.comment(l));
    let m = &origin.manifest;
    to.comment(&format!(
        "Tables as in the snapshot {} of database {} (system identifier {}).",
        m.snapshot, m.primary.database, m.primary.system_identifier
    ));
    for batch in batches {
        let m = &batch.manifest;
        to.comment("");
        let last = if m.closing.is_some() { ", the last one" } else { "" };
        to.comment(&format!(
            "event {}, batch {}{last}: {} units, {} rows",
            m.event, m.batch, m.totals.units, m.totals.rows
        ));
        to.comment(&format!("  exported {} by {} of snapshot {}", m.exported_at.to_rfc3339(), m.by, m.snapshot));
        to.comment(&format!("  sha256 {}", batch.sha256));
        for money in &m.totals.money {
            to.comment(&format!("  {} of {}: {}", money.column, money.table, money.sum));
        }
    }
}

/// A script that was cut or edited on its way is refused.
fn require_rows(to: &mut Psql, batches: &[Batch], targets: &[Target]) -> Result<()> {
    for (b, batch) in (1..).zip(batches) {
        let tables: Vec<Value> = batch
            .manifest
            .tables
            .iter()
            .filter_map(|t| targets.iter().find(|o| o.of == t.table).map(|o| context! { no => o.no, rows => t.rows }))
            .collect();
        let context = context! { b, units => batch.manifest.totals.units, tables };
        run(to, crate::sql!("merge/script/require_rows.sql"), context, "write the script")?;
    }
    Ok(())
}

/// Who runs it, and from where.
const BY: [&str; 2] = ["session_user::text", "coalesce(pg_catalog.host(pg_catalog.inet_client_addr()), 'localhost')"];

/// As `merge_all` and `apply::Applying` do it, in one transaction.
fn carry_out(to: &mut Psql, batches: &[Batch], origin: &Origin) -> Result<()> {
    let doing = "write the script";
    let text = |s: &str| s.to_owned();
    let (by, host, run_no) = (text(BY[0]), text(BY[1]), text(":his_run"));
    for batch in batches {
        let m = &batch.manifest;
        to.bound(crate::sql!("merge/begin_event.sql"), &[literal(&m.event), m.epoch.to_string()]);
    }
    let event = batches.last().map_or("", |b| &b.manifest.event);
    to.ask(&sql::bound(crate::sql!("merge/begin_run.sql"), &[literal(event), by.clone(), host]));
    to.bound(crate::sql!("merge/call_record.sql"), &[run_no.clone(), by.clone()]);
    to.take(crate::sql!("merge/script/own_settings.sql"), doing)?;
    let own = &origin.manifest.primary;
    to.bound(crate::sql!("merge/settings.sql"), &[literal(&own.timezone), literal(&own.search_path)]);
    to.bound(crate::sql!("merge/call_merge.sql"), &[text("1"), run_no.clone(), by]);
    for batch in batches {
        let m = &batch.manifest;
        let totals = serde_json::to_string(&m.totals).cannot(doing)?;
        let closing = m.closing.as_ref().map(serde_json::to_string).transpose().cannot(doing)?;
        let closing = closing.map_or_else(|| text("NULL"), |c| literal(&c));
        let values = [literal(&m.event), m.batch.to_string(), literal(&batch.sha256), literal(&totals), closing];
        to.bound(crate::sql!("merge/record_batch.sql"), &[&values[..], std::slice::from_ref(&run_no)].concat());
    }
    to.bound(crate::sql!("merge/end_run.sql"), &[run_no]);
    Ok(())
}

fn receipt(to: &mut Psql) -> Result<()> {
    let of_event = |text: &str| psql::bare(&sql::bound(text, &["e.event".to_owned()])).to_owned();
    let context = context! {
        batches => of_event(crate::sql!("merge/batches.sql")),
        totals => of_event(crate::sql!("merge/totals.sql")),
        money => of_event(crate::sql!("merge/money_totals.sql")),
        conflicts => of_event(crate::sql!("merge/conflicts.sql")),
    };
    to.text += sql::render(crate::sql!("merge/script/receipt.sql"), context)?.trim_end();
    to.text.push('\n');
    to.meta("echo 'Done. Now carry the receipt back: his-merge receipt FILE'");
    Ok(())
}

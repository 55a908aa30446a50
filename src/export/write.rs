//! Writes the files of one batch from the queue of a generation.

use super::Export;
use crate::db::{Client, Transaction, sql};
use crate::error::{Cannot, Error, Result};
use crate::formats::batch::{self, Closing, Column, Manifest, Money, Number, Totals, UNITS_FILE};
use crate::formats::records::Records;
use crate::formats::{hex, sums};
use crate::money;
use crate::profile::Numbers;
use crate::queue::Batch;
use crate::seal::Seal;
use crate::standby::{self, Captured};
use crate::store::durable;
use minijinja::context;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use tokio_postgres::IsolationLevel;

/// Columns before the images in every table's file.
pub const LEADING: [&str; 7] = ["seq", "xid", "op", "depth", "left_out", "at", "knows"];

/// The written files of a batch, its manifest not among them.
pub(super) struct Files {
    pub tables: Vec<batch::Table>,
    pub totals: Totals,
    /// File name to SHA-256.
    pub sums: BTreeMap<String, String>,
}

/// One snapshot of the queue, under pinned settings; its commit is synchronous.
pub(super) fn begin(client: &mut Client) -> Result<Transaction<'_>> {
    let begun = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).start();
    let mut tx = begun.cannot("read the queue")?;
    tx.batch_execute(crate::sql!("export/pins.sql")).cannot("read the queue")?;
    tx.batch_execute(crate::sql!("export/memory.sql")).cannot("read the queue")?;
    Ok(tx)
}

/// The units of a batch, and where the queue has them.
pub(super) struct Chosen {
    pub units: u64,
    rows: u64,
    /// Queue number of their first change.
    first: i64,
    /// From there on the queue has nothing but them, so that nothing need be picked out.
    alone: bool,
}

/// Chooses the units of a batch by `how`, a statement that says of every unit of the queue whether it is one.
pub(super) fn choose(tx: &mut Transaction<'_>, how: &str) -> Result<Chosen> {
    tx.batch_execute(how).cannot("choose the units to export")?;
    tx.batch_execute(crate::sql!("export/chosen.sql")).cannot("choose the units to export")?;
    let row = tx.query_one(crate::sql!("export/totals.sql"), &[]).cannot("count the units")?;
    Ok(Chosen { units: count(row.get(0)), rows: count(row.get(1)), first: row.get(2), alone: row.get(3) })
}

/// Writes the chosen units' changes, one CSV a table, into the unfinished directory of `dir`.
pub(super) fn files(
    tx: &mut Transaction<'_>,
    export: &Export<'_>,
    dir: &Path,
    event: &str,
    chosen: &Chosen,
) -> Result<Files> {
    let (unfinished, seal) = (durable::sibling(dir), export.site.store.seal());
    let doing = || format!("write the batch '{}'", dir.display());
    if let Some(parent) = dir.parent() {
        durable::make_dir(parent).cannot(doing())?;
    }
    durable::remove_dir(&unfinished).cannot(doing())?;
    durable::make_dir(&unfinished).cannot(doing())?;
    let mut files = Files {
        tables: Vec::new(),
        totals: Totals { units: chosen.units, rows: chosen.rows, money: Vec::new() },
        sums: BTreeMap::new(),
    };
    if files.totals.units > 0 {
        for table in standby::captured(tx)? {
            one_table(tx, seal, &unfinished, &table, chosen, &mut files)?;
        }
    }
    let text =
        sql::render(crate::sql!("export/copy_units.sql"), context! { event, generation => export.generation.number })?;
    let units = copy(tx, &text, seal, &unfinished.join(seal.name(UNITS_FILE)), "")?;
    files.sums.insert(seal.name(UNITS_FILE), units.stored);
    Ok(files)
}

fn one_table(
    tx: &mut Transaction<'_>,
    seal: &Seal,
    dir: &Path,
    table: &Captured,
    chosen: &Chosen,
    files: &mut Files,
) -> Result<()> {
    // The header is ours: a column alias is cut at 63 bytes, and a name may be that long without its prefix.
    let mut header = csv::WriterBuilder::new().from_writer(Vec::new());
    let images = ["old.", "new."].iter().flat_map(|p| table.columns.iter().map(move |c| format!("{p}{c}")));
    let names: Vec<String> = LEADING.iter().map(|c| (*c).to_owned()).chain(images).collect();
    header.write_record(&names).cannot("write the header of a batch file")?;
    let header = header.into_inner().map_err(|e| Error::failed("write the header of a batch file", e))?;
    let header = String::from_utf8_lossy(&header).into_owned();

    let (first, alone) = (chosen.first, chosen.alone);
    let text = sql::render(
        crate::sql!("export/copy_table.sql"),
        context! { no => table.no, width => table.columns.len(), first, alone },
    )?;
    let file = seal.name(&format!("{:04}_{}.csv", table.no, file_part(&table.table.to_string())));
    let copied = copy(tx, &text, seal, &dir.join(&file), &header)?;
    if copied.rows == 0 {
        return std::fs::remove_file(dir.join(&file)).cannot(format!("remove the empty '{file}'"));
    }
    files.sums.insert(file.clone(), copied.stored);
    files.totals.money.extend(money(tx, table, context! { chosen => true, first, alone })?);
    let columns = table.columns.iter().zip(&table.types);
    files.tables.push(batch::Table {
        table: table.table.clone(),
        file,
        rows: copied.rows,
        sha256: copied.sha256,
        columns: columns.map(|(name, type_name)| Column { name: name.clone(), type_name: type_name.clone() }).collect(),
        key: table.key.clone(),
    });
    Ok(())
}

/// A file of a batch that was written.
struct Copied {
    rows: u64,
    /// Of the CSV.
    sha256: String,
    /// Of the file as stored.
    stored: String,
}

/// Streams a COPY into a file, after `header`.
fn copy(tx: &mut Transaction<'_>, text: &str, seal: &Seal, path: &Path, header: &str) -> Result<Copied> {
    let doing = || format!("write '{}'", path.display());
    let mut file = seal.create(path).cannot(doing())?;
    // What is stored as it came is hashed as it is stored.
    let mut hash = if seal.name("").is_empty() { None } else { Some(Sha256::new()) };
    let mut put = |bytes: &[u8]| {
        hash.iter_mut().for_each(|hash| hash.update(bytes));
        file.write_all(bytes).cannot(doing())
    };
    put(header.as_bytes())?;
    let mut reader = tx.copy_out(text).cannot("read the queue")?;
    let (mut rows, mut records) = (0, Records::after_header());
    while let Some(block) = reader.block().cannot("read the queue")? {
        records.push(&block, |_| rows += 1);
        put(&block)?;
    }
    let stored = file.finish().cannot(doing())?;
    Ok(Copied { rows, sha256: hash.map_or_else(|| stored.clone(), |hash| hex(&hash.finalize())), stored })
}

#[expect(clippy::too_many_arguments, reason = "a manifest says everything about a batch")]
pub(super) fn manifest(
    export: &Export<'_>,
    tx: &mut Transaction<'_>,
    event: &str,
    epoch: u64,
    number: u64,
    before: Option<&Batch>,
    files: &Files,
    closing: Option<Closing>,
) -> Result<Manifest> {
    let generation = &export.generation;
    let system = tx.query_one(crate::sql!("export/system.sql"), &[]).cannot("identify the standby")?;
    let mut numbers = Vec::new();
    for entry in &export.site.profile.numbers {
        if let Numbers::Block { sequence, .. } = entry {
            let text = sql::render(crate::sql!("export/sequence.sql"), context! { sequence => sequence.sql() })?;
            let row = tx.query_one(&text, &[]).cannot(format!("read the sequence '{sequence}'"))?;
            numbers.push(Number { sequence: sequence.clone(), last: row.get(0) });
        }
    }
    Ok(Manifest {
        format: batch::FORMAT,
        event: event.to_owned(),
        epoch,
        drill: export.drill,
        batch: number,
        previous: before.map(|b| b.sha256.clone()).or_else(|| generation.snapshot_sha256.clone()).unwrap_or_default(),
        generation: generation.number,
        snapshot: generation.snapshot.clone().unwrap_or_default(),
        standby_system_identifier: system.get(0),
        primary_system_identifier: generation.primary_system.clone().unwrap_or_default(),
        exported_at: chrono::Utc::now(),
        by: export.site.by.clone(),
        host: crate::store::host(),
        totals: files.totals.clone(),
        tables: files.tables.clone(),
        numbers,
        closing,
    })
}

/// Writes manifest and `SHA256SUMS` into the unfinished directory and signs it; gives the text of the latter.
pub(super) fn finish(
    seal: &Seal,
    dir: &Path,
    what: &str,
    mut files: BTreeMap<String, String>,
    manifest: &str,
) -> Result<String> {
    let unfinished = durable::sibling(dir);
    let doing = || format!("write the batch '{}'", dir.display());
    files.insert("manifest.json".to_owned(), crate::queue::sha256(manifest));
    let text = sums::text(&files);
    for (name, content) in [("manifest.json", manifest), (sums::FILE, text.as_str())] {
        let mut file = durable::create_file(&unfinished.join(name)).cannot(doing())?;
        file.write_all(content.as_bytes()).and_then(|()| file.sync_all()).cannot(doing())?;
    }
    seal.sign(&unfinished, what)?;
    Ok(text)
}

/// Everything that this generation captured under `epoch`.
pub(super) fn event_totals(tx: &mut Transaction<'_>, epoch: u64, current: u64) -> Result<Totals> {
    let captured = standby::captured(tx)?;
    let tables: Vec<i32> = captured.iter().map(|t| t.no).collect();
    let text = sql::render(crate::sql!("export/event_totals.sql"), context! { tables, epoch, current })?;
    let row = tx.query_one(&text, &[]).cannot("count what the event captured")?;
    let mut totals = Totals { units: count(row.get(0)), rows: count(row.get(1)), money: Vec::new() };
    for table in &captured {
        totals.money.extend(money(tx, table, context! { chosen => false, epoch, current })?);
    }
    Ok(totals)
}

/// Sums of the money columns of one table, over the rows that `which` says.
fn money(tx: &mut Transaction<'_>, table: &Captured, which: minijinja::Value) -> Result<Vec<Money>> {
    if table.money.is_empty() {
        return Ok(Vec::new());
    }
    let doing = || format!("sum the money columns of '{}'", table.table);
    let difference = |column: &String| {
        let at = table.columns.iter().position(|c| c == column).ok_or_else(|| {
            Error::usage(format!("sum the money column '{column}' of '{}'", table.table), "it is not captured")
        })?;
        let (old, new) = (format!("c.o{}", at + 1), format!("c.n{}", at + 1));
        Ok(money::difference(&table.types[at], &old, &new))
    };
    let differences = table.money.iter().map(difference).collect::<Result<Vec<String>>>()?;
    let text = sql::render(crate::sql!("export/money.sql"), context! { no => table.no, differences, ..which })?;
    let row = tx.query_one(&text, &[]).cannot(doing())?;
    let sum = |(at, column): (usize, &String)| {
        let sum: Decimal = row.get::<_, &str>(at).parse().map_err(|e| Error::failed(doing(), e))?;
        Ok(Money { table: table.table.to_string(), column: column.clone(), sum })
    };
    table.money.iter().enumerate().map(sum).collect()
}

/// A table's name as part of a file name: nothing but letters, digits, dots and underscores.
fn file_part(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '.' | '_') { c } else { '_' }).collect()
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

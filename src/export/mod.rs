//! `his-export-queue`: what the windows did on the standby, as checksummed batches chained to one another.

mod cli;
mod write;

pub use cli::{Cli, main};
pub use write::LEADING;

use crate::cli::Site;
use crate::db::{Client, sql};
use crate::error::{Cannot, Error, Result};
use crate::formats::batch::{Manifest, Totals};
use crate::formats::sums;
use crate::queue::{self, Batch};
use crate::seal::Seal;
use crate::standby::{self, Gate, Generation};
use crate::store::{Kind, State, durable};
use minijinja::context;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A batch that this run made.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Made {
    pub batch: u64,
    pub path: PathBuf,
    pub units: u64,
    pub rows: u64,
    pub sha256: String,
}

/// What a run of the export did.
#[derive(Debug, Clone)]
pub struct Exported {
    /// `None` when there never was an event.
    pub event: Option<String>,
    pub batches: Vec<Made>,
    /// The event's closing record is written.
    pub closed: bool,
}

/// Exports every committed unit of the standby that is in no batch yet. With `last` it writes the closing record; the
/// gate must be shut by then.
///
/// What one database snapshot sees is exported, ordered by each unit's last queue number: a unit can only depend on
/// what was committed, and so seen, before it. A batch becomes visible after the commit that marks its units, and that
/// commit flushes everything it holds. Killed in between, the next run makes the same batch again from the manifest
/// kept in the standby, byte for byte.
pub fn run(site: &Site, last: bool) -> Result<Exported> {
    let _lock = site.store.lock(Kind::Export, &site.by)?;
    let state = site.store.state()?;
    let Some(event) = state.event.clone() else {
        return Ok(Exported { event: None, batches: Vec::new(), closed: false });
    };
    let (chain, _) = queue::chain(&site.store, &event.id)?;
    if chain.last().is_some_and(|b| b.manifest.closing.is_some()) && event.ended_at.is_some() {
        return Ok(Exported { event: Some(event.id), batches: Vec::new(), closed: true });
    }
    if event.generation.is_none() {
        // Paper only so far: no standby has anything to export.
        return Ok(Exported { event: Some(event.id), batches: Vec::new(), closed: false });
    }
    let standby = site.profile.standby()?.named("his-export-queue");
    let mut client = standby.connect()?;
    let Some(generation) = Generation::read(&mut client, standby.database())? else {
        return Err(Error::refused(
            "export the queue",
            format!("the {} is no database of this toolkit", standby.shown()),
        )
        .hint("check [standby] url; his-load-standby list shows the generations."));
    };
    if last && generation.gate == Gate::Open {
        return Err(Error::refused("write the closing record", "the standby is open, so more may follow")
            .hint("his-switch primary closes it and writes the closing record by itself."));
    }
    let mut export = Export { site, generation, current: event.epoch, drill: false };
    let mut made = export.again(&mut client)?;
    let remade = made.len();
    for epoch in export.epochs(&mut client)? {
        let id = queue::event_id(&site.profile.site.code, epoch);
        made.extend(export.new_batch(&mut client, &id, epoch, false)?);
    }
    let closed = if last { export.close(&mut client, &event.id, &mut made)? } else { false };
    if made.len() == remade {
        // Where nothing but scratch tables was written there is no batch.
        standby::columns::remember(site, &mut client)?;
    }
    Ok(Exported { event: Some(event.id), batches: made, closed })
}

/// Writes everything that a drill captured as one batch with its closing record, below `store/drills/`. It says that it
/// is a drill's, so no merge takes it, and neither the state nor the mirror hears of it.
pub fn drill(
    site: &Site,
    client: &mut Client,
    generation: Generation,
    event: &str,
    epoch: u64,
) -> Result<Option<Made>> {
    let mut export = Export { site, generation, current: epoch, drill: true };
    export.new_batch(client, event, epoch, true)
}

/// The event, and how many of its units a run would export now. Changes nothing and takes no lock.
pub fn plan(site: &Site) -> Result<(Option<String>, u64)> {
    let event = site.store.state()?.event;
    let Some(event) = event.filter(|e| e.generation.is_some() && e.ended_at.is_none()) else { return Ok((None, 0)) };
    let mut client = site.profile.standby()?.named("his-export-queue").connect()?;
    Ok((Some(event.id), standby::units(&mut client)?.unexported))
}

/// One run over one generation.
struct Export<'a> {
    site: &'a Site,
    generation: Generation,
    /// Epoch of the current event.
    current: u64,
    drill: bool,
}

impl Export<'_> {
    /// Makes every batch again that the standby remembers and the store does not have.
    fn again(&mut self, client: &mut Client) -> Result<Vec<Made>> {
        let rows = client.query(crate::sql!("export/recorded.sql"), &[]).cannot("read which batches were made")?;
        let (mut made, last) = (Vec::new(), rows.len());
        for (place, row) in rows.iter().enumerate() {
            let (event, number): (String, i64) = (row.get(0), row.get(1));
            let (text, sha256): (String, String) = (row.get(2), row.get(3));
            let number = u64::try_from(number).unwrap_or(0);
            let dir = self.dir(&event, number);
            if dir.exists() {
                let there = sums::of_file(&dir.join(sums::FILE)).ok();
                if there.as_deref() != Some(&sha256) {
                    let reason = format!(
                        "its SHA256SUMS has SHA-256 {} (expected {sha256} by the standby)",
                        there.as_deref().unwrap_or("none")
                    );
                    return Err(Error::damaged(format!("use the batch '{}'", dir.display()), reason)
                        .hint("move that directory away and run his-export-queue again: the batch is made again from the standby."));
                }
                continue;
            }
            let manifest: Manifest =
                serde_json::from_str(&text).cannot(format!("understand batch {number} of '{event}' in the standby"))?;
            if self.find_again(&event, number, &sha256)? {
                made.push(self.publish(&event, number, &sha256, &manifest)?);
                continue;
            }
            self.site
                .talk
                .say(format!("batch {number} of {event} is not in the store; making it again from the standby"));
            let mut tx = write::begin(client)?;
            let tables: Vec<i32> = standby::captured(&mut tx)?.iter().map(|t| t.no).collect();
            let choose = sql::render(
                crate::sql!("export/choose_again.sql"),
                context! { tables, event => event.clone(), batch => number },
            )?;
            let chosen = write::choose(&mut tx, &choose)?;
            let files = write::files(&mut tx, self, &dir, &event, &chosen)?;
            tx.commit().cannot("read the queue")?;
            let same = files.tables.iter().map(|t| &t.sha256).eq(manifest.tables.iter().map(|t| &t.sha256));
            let sums = write::finish(self.seal(), &dir, &self.name(&event, number), files.sums, &text)?;
            let mut sha256 = sha256;
            if same && place + 1 == last && queue::sha256(&sums) != sha256 && sealed(&manifest) {
                // The same content, encrypted once more, has other bytes; nothing is chained to it yet.
                sha256 = queue::sha256(&sums);
                client
                    .execute(crate::sql!("export/record_again.sql"), &[&event, &row.get::<_, i64>(1), &sha256])
                    .cannot("record the batch in the standby")?;
            }
            if queue::sha256(&sums) != sha256 {
                durable::remove_dir(&durable::sibling(&dir)).cannot("remove the unfinished batch")?;
                return Err(Error::damaged(
                    format!("make batch {number} of '{event}' again"),
                    "the standby's queue gives other bytes than before",
                )
                .hint("the standby was changed behind the toolkit's back; take the batch from the mirror or a copy."));
            }
            made.push(self.publish(&event, number, &sha256, &manifest)?);
        }
        Ok(made)
    }

    /// Puts a batch that is not in the store back: as a run left it that was killed before it gave it its name, or as the
    /// mirror has it. `false`: neither has it whole.
    fn find_again(&self, event: &str, number: u64, sha256: &str) -> Result<bool> {
        let unfinished = durable::sibling(&self.dir(event, number));
        let whole = |dir: &Path| {
            let there = sums::of_file(&dir.join(sums::FILE)).is_ok_and(|found| found == sha256);
            Ok::<_, Error>(there && self.seal().check(dir)?.is_empty())
        };
        if whole(&unfinished)? {
            return Ok(true);
        }
        let Some(mirror) = self.site.store.mirror() else { return Ok(false) };
        let mirrored = mirror.join("queue").join(event).join(format!("{number:06}"));
        if !whole(&mirrored)? {
            return Ok(false);
        }
        self.site.talk.say(format!("batch {number} of {event} is not in the store; taking it from the mirror"));
        durable::copy_unfinished(&mirrored, &unfinished).cannot(format!(
            "copy '{}' to '{}'",
            mirrored.display(),
            unfinished.display()
        ))?;
        Ok(true)
    }

    /// The current event's epoch, and after a lost standby came back, those of earlier ones that still have units in no batch.
    fn epochs(&self, client: &mut Client) -> Result<Vec<u64>> {
        let rows = client.query(crate::sql!("export/epochs.sql"), &[]).cannot("look for units to export")?;
        let mut epochs: Vec<u64> = rows.iter().map(|r| u64::try_from(r.get::<_, i64>(0)).unwrap_or(0)).collect();
        epochs.push(self.current);
        epochs.sort_unstable();
        epochs.dedup();
        Ok(epochs)
    }

    /// Makes the next batch of an event; `None` when there is nothing to put in and no closing record to write.
    fn new_batch(&mut self, client: &mut Client, event: &str, epoch: u64, closing: bool) -> Result<Option<Made>> {
        let mut tx = write::begin(client)?;
        let tables: Vec<i32> = standby::captured(&mut tx)?.iter().map(|t| t.no).collect();
        if tables.is_empty() {
            return Ok(None);
        }
        let choose =
            sql::render(crate::sql!("export/choose_new.sql"), context! { tables, epoch, current => self.current })?;
        let chosen = write::choose(&mut tx, &choose)?;
        if chosen.units == 0 && !closing {
            return Ok(None);
        }
        let (chain, broken) = queue::chain(&self.site.store, event)?;
        if let Some(error) = broken {
            return Err(error);
        }
        let before = chain.last();
        if before.is_some_and(|b| b.manifest.closing.is_some()) {
            return Err(Error::refused(
                format!("export units of '{event}'"),
                "the event has its closing record already, and the standby holds more units of it",
            )
            .hint("this must not happen; keep the standby as it is and call for help."));
        }
        let number = before.map_or(1, |b| b.manifest.batch + 1);
        let dir = self.dir(event, number);
        let files = write::files(&mut tx, self, &dir, event, &chosen)?;
        let closing = if closing { Some(self.closing(&mut tx, epoch, &chain, number)?) } else { None };
        let manifest = write::manifest(self, &mut tx, event, epoch, number, before, &files, closing)?;
        let text = serde_json::to_string_pretty(&manifest).cannot("write the manifest")? + "\n";
        let sums = write::finish(self.seal(), &dir, &self.name(event, number), files.sums, &text)?;
        let sha256 = queue::sha256(&sums);
        let signed = i64::try_from(number).unwrap_or(i64::MAX);
        tx.execute(crate::sql!("export/record.sql"), &[&event, &signed, &text, &sha256])
            .cannot("record the batch in the standby")?;
        tx.execute(crate::sql!("export/mark.sql"), &[&event, &signed]).cannot("mark the exported units")?;
        tx.commit().cannot("record the batch in the standby")?;
        if !self.drill {
            // Before the batch can be merged, and while this server is there.
            standby::columns::remember(self.site, client)?;
        }
        self.publish(event, number, &sha256, &manifest).map(Some)
    }

    fn close(&mut self, client: &mut Client, event: &str, made: &mut Vec<Made>) -> Result<bool> {
        let (chain, _) = queue::chain(&self.site.store, event)?;
        if chain.last().is_none_or(|b| b.manifest.closing.is_none()) {
            made.extend(self.new_batch(client, event, self.current, true)?);
        }
        Ok(true)
    }

    /// What the event captured: counted in this generation, and by the manifests for generations before it.
    fn closing(
        &self,
        tx: &mut crate::db::Transaction<'_>,
        epoch: u64,
        chain: &[Batch],
        number: u64,
    ) -> Result<crate::formats::batch::Closing> {
        let mut totals = write::event_totals(tx, epoch, self.current)?;
        let others: Vec<Batch> =
            chain.iter().filter(|b| b.manifest.generation != self.generation.number).cloned().collect();
        totals.add(&queue::totals(&others));
        Ok(crate::formats::batch::Closing { closed_at: chrono::Utc::now(), batches: number, totals })
    }

    fn seal(&self) -> &Seal {
        self.site.store.seal()
    }

    /// How a signature names a batch.
    fn name(&self, event: &str, number: u64) -> String {
        format!("batch {number} of event {event} of site {}", self.site.profile.site.code)
    }

    fn dir(&self, event: &str, number: u64) -> PathBuf {
        let base = if self.drill { self.site.store.drill(event) } else { self.site.store.queue(event) };
        base.join(format!("{number:06}"))
    }

    /// Makes a finished batch visible: in the mirror first, so that what the store shows is never lost with it.
    fn publish(&self, event: &str, number: u64, sha256: &str, manifest: &Manifest) -> Result<Made> {
        let dir = self.dir(event, number);
        let doing = || format!("publish the batch '{}'", dir.display());
        let store = &self.site.store;
        let Totals { units, rows, .. } = manifest.totals;
        if self.drill {
            durable::publish_dir(&durable::sibling(&dir), &dir).cannot(doing())?;
            return Ok(Made { batch: number, path: dir, units, rows, sha256: sha256.to_owned() });
        }
        let place = PathBuf::from("queue").join(event).join(format!("{number:06}"));
        store.mirror_dir(&durable::sibling(&dir), &place)?;
        durable::publish_dir(&durable::sibling(&dir), &dir).cannot(doing())?;
        let seen: BTreeMap<String, i64> =
            manifest.numbers.iter().filter_map(|n| Some((n.sequence.to_string(), n.last?))).collect();
        State::update(store, |state| seen.iter().for_each(|(sequence, last)| state.saw_number(sequence, *last)))?;
        store.journal().write(
            &self.site.by,
            "export",
            Some(event),
            "done",
            json!({ "batch": number, "units": units, "rows": rows, "sha256": sha256 }),
        )?;
        Ok(Made { batch: number, path: dir, units, rows, sha256: sha256.to_owned() })
    }
}

/// Whether its files are encrypted.
fn sealed(manifest: &Manifest) -> bool {
    manifest.tables.iter().any(|t| t.file.ends_with(crate::seal::SEALED))
}

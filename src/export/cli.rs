//! The command line of `his-export-queue`.

use super::run;
use crate::cli::{self, Common, Outcome, Site};
use crate::error::{Exit, Result};
use crate::queue::{self, Batch};
use clap::{Parser, Subcommand};
use comfy_table::{Table, presets};
use serde_json::json;
use std::process::ExitCode;

/// Export what the windows did on the emergency standby, as checksummed batches
#[derive(Debug, Parser)]
#[command(name = "his-export-queue", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    /// Write the event's closing record; the standby must be closed
    #[arg(long = "final")]
    last: bool,
    /// Say what would be exported, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the batches of the store
    List,
    /// Check every file and the chain of an event's batches (default: the latest event)
    Verify {
        /// The event, such as 01-0007
        event: Option<String>,
    },
}

impl cli::Program for Cli {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// All of the program.
#[must_use]
pub fn main() -> ExitCode {
    cli::run::<Cli>(|cli| {
        let site = cli.common.site()?;
        match &cli.command {
            None if cli.dry_run => plan(&site, cli.last),
            None => {
                crate::switch::at_first_contact(&site);
                export(&site, cli.last)
            }
            Some(Command::List) => list(&site),
            Some(Command::Verify { event }) => verify(&site, event.as_deref()),
        }
    })
}

fn export(site: &Site, last: bool) -> Result<Outcome> {
    let done = run(site, last)?;
    let json = json!({ "event": done.event, "batches": done.batches, "closed": done.closed });
    let text = match (&done.event, done.batches.as_slice()) {
        (None, _) => "no event, nothing to export".to_owned(),
        (Some(event), []) => format!("event {event}: nothing new to export"),
        (Some(event), made) => {
            let lines: Vec<String> = made
                .iter()
                .map(|b| {
                    format!(
                        "event {event}: batch {} with {} units, {} rows: {}",
                        b.batch,
                        b.units,
                        b.rows,
                        b.path.display()
                    )
                })
                .collect();
            lines.join("\n")
        }
    };
    let text = if done.closed { format!("{text}\nthe event's closing record is written") } else { text };
    Ok(Outcome::new(json, text))
}

fn plan(site: &Site, last: bool) -> Result<Outcome> {
    let (event, units) = super::plan(site)?;
    let text = match (&event, units) {
        (None, _) => "no event, nothing to export".to_owned(),
        (Some(event), 0) if !last => format!("event {event}: nothing new to export"),
        (Some(event), n) => {
            format!("event {event}: would export {n} units{}", if last { " and the closing record" } else { "" })
        }
    };
    Ok(Outcome::new(json!({ "event": event, "units": units, "dry_run": true }), text))
}

fn list(site: &Site) -> Result<Outcome> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "event",
        "batch",
        "exported at",
        "units",
        "rows",
        "closing",
        "state",
    ]);
    let (mut listed, mut exit) = (Vec::new(), Exit::Done);
    for event in site.store.events()? {
        for (number, dir) in site.store.batches(&event)? {
            match Batch::open(&dir, site.store.seal()) {
                Ok(Batch { manifest: m, sha256, .. }) => {
                    table.add_row([
                        event.clone(),
                        number.to_string(),
                        site.time(m.exported_at),
                        m.totals.units.to_string(),
                        m.totals.rows.to_string(),
                        if m.closing.is_some() { "yes" } else { "" }.to_owned(),
                        "ok".to_owned(),
                    ]);
                    listed.push(json!({ "event": event, "batch": number, "path": dir, "units": m.totals.units, "rows": m.totals.rows, "sha256": sha256, "closing": m.closing.is_some(), "ok": true }));
                }
                Err(e) => {
                    exit = exit.worse(e.exit());
                    table.add_row([
                        event.clone(),
                        number.to_string(),
                        String::new(),
                        String::new(),
                        String::new(),
                        String::new(),
                        e.to_string(),
                    ]);
                    listed.push(
                        json!({ "event": event, "batch": number, "path": dir, "ok": false, "reason": e.to_string() }),
                    );
                }
            }
        }
    }
    let mut text = if listed.is_empty() { "no batches".to_owned() } else { table.to_string() };
    if exit != Exit::Done {
        text.push_str("\nHINT: nothing from a damaged batch on is merged; take it from the mirror, or run his-export-queue while the standby is there.");
    }
    Ok(Outcome::new(json!({ "batches": listed }), text).exit(exit))
}

fn verify(site: &Site, event: Option<&str>) -> Result<Outcome> {
    let events = site.store.events()?;
    let Some(event) = event.map(str::to_owned).or_else(|| events.last().cloned()) else {
        return Ok(Outcome::new(json!({ "event": null, "ok": true, "damaged": [] }), "no batches"));
    };
    let (good, broken) = queue::chain(&site.store, &event)?;
    if good.is_empty() && broken.is_none() {
        return Err(crate::Error::usage(
            format!("verify the batches of '{event}'"),
            "the store has none of this event",
        )
        .hint("his-export-queue list shows the events of the store."));
    }
    let mut damaged: Vec<_> =
        broken.iter().map(|e| json!({ "file": site.store.queue(&event), "reason": e.to_string() })).collect();
    let closing = good.last().and_then(|b| b.manifest.closing.as_ref());
    if let Some(closing) = closing
        && !closing.totals.equals(&queue::totals(&good))
    {
        damaged.push(json!({ "file": site.store.queue(&event), "reason": "the batches together do not come to the closing record" }));
    }
    let ok = damaged.is_empty();
    let state = if closing.is_some() { "closed" } else { "not closed yet" };
    let text = match damaged.first() {
        None => format!("event {event}: {} batches hold, {state}", good.len()),
        Some(first) => format!(
            "event {event}: DAMAGED after batch {}: {}\nHINT: nothing after it is merged; take the batch from the mirror, or run his-export-queue while the standby is there.",
            good.len(),
            first["reason"].as_str().unwrap_or_default()
        ),
    };
    let json =
        json!({ "event": event, "ok": ok, "batches": good.len(), "closed": closing.is_some(), "damaged": damaged });
    Ok(Outcome::new(json, text).exit(if ok { Exit::Done } else { Exit::Damaged }))
}

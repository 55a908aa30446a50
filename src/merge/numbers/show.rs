//! `his-merge numbers` on the command line.

use super::{Cause, Numbers, run};
use crate::cli::{Outcome, Site};
use crate::error::{Exit, Result};
use serde_json::{Value, json};
use std::fmt::Write;

/// Arguments of `numbers`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The event (default: the current or latest)
    event: Option<String>,
}

/// Lists every gap with its cause, and every number that stands for two things.
pub fn command(site: &Site, args: &Args) -> Result<Outcome> {
    let found = run(site, args.event.as_deref())?;
    let exit = found.as_ref().map_or(Exit::Done, Numbers::exit);
    Ok(Outcome::new(to_json(found.as_ref()), text(found.as_ref())).exit(exit))
}

fn to_json(found: Option<&Numbers>) -> Value {
    match found {
        None => json!({ "event": null, "blocks": [], "official": [] }),
        Some(n) => json!({ "event": n.event, "closed": n.closed, "blocks": n.blocks, "official": n.official }),
    }
}

fn text(found: Option<&Numbers>) -> String {
    let Some(n) = found else { return "no event so far".to_owned() };
    let mut text = format!("event {}\n", n.event);
    if !n.closed {
        text.push_str("it has no closing record yet: units that are still to come may fill a gap\n");
    }
    for b in &n.blocks {
        let columns = if b.columns.is_empty() {
            "fills no captured column, so nobody can say what became of each".to_owned()
        } else {
            b.columns.join(", ")
        };
        let _ = writeln!(text, "\n{} ({columns})\n  {} to {}: {} used", b.sequence, b.first, b.last, b.used);
        for g in &b.gaps {
            let range = if g.count == 1 { g.first.to_string() } else { format!("{} to {}", g.first, g.last) };
            let cause = match g.cause {
                Cause::RolledBack => "rolled back",
                Cause::Void => "void: made and deleted within the event",
                Cause::Crash => "crash: left out when the standby was opened again",
            };
            let _ = writeln!(text, "  {range:<24}{cause}");
        }
        if b.repeats.is_empty() {
            text.push_str("  no number repeats\n");
        }
        for number in &b.repeats {
            let _ = writeln!(text, "  {number:<24}REPEATED: two units gave it to a new row");
        }
    }
    for o in &n.official {
        let _ = writeln!(
            text,
            "\nofficial numbers of {}.{}\n  {} to {}: {} given",
            o.table, o.column, o.first, o.last, o.given
        );
        for g in &o.gaps {
            let range = if g.first == g.last { g.first.clone() } else { format!("{} to {}", g.first, g.last) };
            let _ = writeln!(text, "  {range:<24}neither given nor used on the primary");
        }
        if o.repeats.is_empty() {
            text.push_str("  no number repeats\n");
        }
        for r in &o.repeats {
            let whose = if r.by == "given" { "given" } else { "on the primary" };
            let _ = writeln!(text, "  {:<24}REPEATED: {whose} {} times", r.number, r.times);
        }
    }
    if n.blocks.is_empty() && n.official.is_empty() {
        text.push_str("no emergency number block was used and no official number given\n");
    }
    text.trim_end().to_owned()
}

//! `numbers`: what is handed out, and how it ends. Works with both databases off.

use super::cli::kind;
use super::number::{Number, Wrong};
use super::register::{Act, End, Register, Wanted};
use crate::cli::{Outcome, Site};
use crate::error::{Error, Result};
use crate::store::Kind;
use clap::Subcommand;
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Hand out the next numbers of a kind of slips to a window or ward
    Issue {
        /// Kind of slips, such as charge
        kind: String,
        /// How many
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=100_000))]
        count: u64,
        /// Who gets them: a window or ward
        #[arg(long, value_name = "WINDOW")]
        to: String,
        /// This store took the place of one that is gone for good: why
        #[arg(long, value_name = "WHY")]
        moved: Option<String>,
        /// Say what would be handed out, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Register slips as void: spoiled, or not used and destroyed
    Void(Ended),
    /// Register slips as missing: looked for and not found
    Missing(Ended),
    /// Take void or missing back: the slip has turned up
    Reopen(Ended),
    /// The patients of these slips have been called
    Called {
        /// The slips
        #[arg(required = true)]
        slips: Vec<String>,
        /// Say what would be registered, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// How the numbers of each block ended
    Status {
        /// Kind of slips (default: all)
        kind: Option<String>,
    },
}

/// Slips that have ended, and why.
#[derive(Debug, Clone, clap::Args)]
pub struct Ended {
    /// The slip, or the first of a range
    first: String,
    /// The last of a range
    last: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Say what would be registered, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn command(site: &Site, command: &Command) -> Result<Outcome> {
    match command {
        Command::Issue { kind, count, to, moved, dry_run } => issue(site, kind, *count, to, moved.as_deref(), *dry_run),
        Command::Void(ended) => end(site, ended, "void"),
        Command::Missing(ended) => end(site, ended, "missing"),
        Command::Reopen(ended) => end(site, ended, "reopen"),
        Command::Called { slips, dry_run } => called(site, slips, *dry_run),
        Command::Status { kind } => super::status::blocks(site, kind.as_deref()),
    }
}

/// The series of all kinds of slips of the profile.
pub fn series(site: &Site) -> Vec<String> {
    site.profile.slips.iter().map(|s| Number::new(&s.prefix, &site.profile.site.code, 1).series).collect()
}

/// A slip number as somebody wrote it.
pub fn number(site: &Site, text: &str) -> Result<Number> {
    Number::parse(text, &series(site)).map_err(|wrong| {
        let reason = match wrong {
            Wrong::Series => "it begins as no kind of slip of the profile does",
            Wrong::Form => "it is no slip number (expected one such as S01-000123-22)",
            Wrong::Check => "its check digits do not fit: a digit is wrong, or two changed places",
        };
        Error::usage(format!("use slip '{text}'"), reason)
            .hint("read the number from the slip again, with its last two digits.")
    })
}

fn issue(site: &Site, name: &str, count: u64, to: &str, moved: Option<&str>, dry_run: bool) -> Result<Outcome> {
    let slip = kind(site, name)?;
    let series = Number::new(&slip.prefix, &site.profile.site.code, 1).series;
    if dry_run {
        let first = Register::read(site)?.series(&series).next();
        let ends = [first, first + count - 1].map(|running| Number { series: series.clone(), running }.to_string());
        let json =
            json!({ "kind": name, "to": to, "first": ends[0], "last": ends[1], "count": count, "dry_run": true });
        return Ok(Outcome::new(json, format!("would hand out {} to {}, {count} slips, to {to}", ends[0], ends[1])));
    }
    let _lock = site.store.lock(Kind::Register, &site.by)?;
    let epoch = site.store.state()?.epoch;
    let mut register = Register::read(site)?;
    let numbers = register.issue(&Wanted { series: &series, count, to, epoch, packed: false }, moved)?;
    let (first, last) = (numbers[0].to_string(), numbers[numbers.len() - 1].to_string());
    let json = json!({ "kind": name, "to": to, "first": first, "last": last, "count": count });
    site.store.journal().write(&site.by, "issue slip numbers", None, "done", json.clone())?;
    Ok(Outcome::new(json, format!("{first} to {last}, {count} slips of kind {name}, are for {to}")))
}

fn end(site: &Site, ended: &Ended, how: &str) -> Result<Outcome> {
    let _lock = if ended.dry_run { None } else { Some(site.store.lock(Kind::Register, &site.by)?) };
    let mut register = Register::read(site)?;
    let first = number(site, &ended.first)?;
    let last = ended.last.as_deref().map_or_else(|| Ok(first.clone()), |text| number(site, text))?;
    let doing = || format!("register '{first}' to '{last}' as {how}");
    if first.series != last.series || first.running > last.running {
        return Err(Error::usage(doing(), "they are no range of one kind (expected the lower number first)"));
    }
    let known = register.series(&first.series);
    let (mut new, mut keyed) = (0_u64, Vec::new());
    for running in first.running..=last.running {
        let this = Number { series: first.series.clone(), running };
        if known.block(running).is_none() {
            return Err(Error::refused(doing(), format!("'{this}' was never issued"))
                .hint("numbers status shows which numbers were handed out."));
        }
        match (known.end_of(running), how) {
            (Some(End::Keyed { .. }), _) => keyed.push(this.to_string()),
            (Some(End::Void), "void") | (Some(End::Missing), "missing") | (None, "reopen") => {}
            _ => new += 1,
        }
    }
    if let Some(example) = keyed.first() {
        return Err(Error::refused(doing(), format!("{} of them are keyed, such as '{example}'", keyed.len()))
            .hint("what is keyed has ended; name the ranges between."));
    }
    if new > 0 && !ended.dry_run {
        let (series, why) = (first.series.clone(), ended.why.clone());
        let (first, last) = (first.running, last.running);
        register.write(&match how {
            "void" => Act::Void { series, first, last, why },
            "missing" => Act::Missing { series, first, last, why },
            _ => Act::Reopen { series, first, last, why },
        })?;
    }
    let json = json!({
        "act": how, "first": first.to_string(), "last": last.to_string(), "why": ended.why,
        "changed": new, "dry_run": ended.dry_run,
    });
    if new > 0 && !ended.dry_run {
        site.store.journal().write(&site.by, &format!("slip numbers {how}"), None, "done", json.clone())?;
    }
    let would = if ended.dry_run { "would be " } else { "" };
    let is = match how {
        "reopen" => "open again",
        other => other,
    };
    Ok(Outcome::new(json, format!("{first} to {last}: {new} numbers {would}{is} now")))
}

fn called(site: &Site, slips: &[String], dry_run: bool) -> Result<Outcome> {
    let _lock = if dry_run { None } else { Some(site.store.lock(Kind::Register, &site.by)?) };
    let mut register = Register::read(site)?;
    let numbers = slips.iter().map(|text| number(site, text)).collect::<Result<Vec<_>>>()?;
    for number in &numbers {
        if !matches!(register.series(&number.series).end_of(number.running), Some(End::Keyed { .. })) {
            return Err(Error::refused(format!("note the call for slip '{number}'"), "it is not keyed")
                .hint("import the call-back register first; his-import-paper status lists who waits for a call."));
        }
    }
    for number in numbers.iter().filter(|_| !dry_run) {
        register.write(&Act::Called { series: number.series.clone(), numbers: vec![number.running] })?;
    }
    let json: Value =
        json!({ "called": numbers.iter().map(ToString::to_string).collect::<Vec<_>>(), "dry_run": dry_run });
    Ok(Outcome::new(json, format!("{} calls noted", numbers.len())))
}

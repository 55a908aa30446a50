//! Keyed slips on their way into the HIS: each is one transaction, each counts once.
//!
//! The register notes what is about to be written before it is, and what was after: when an import is broken off, the
//! database is asked what it has, and nothing is guessed.

mod check;
mod site_sql;
mod target;
mod write;

pub use check::{Checked, Options, Rejected, Totals, check};
pub use target::PROGRAM;

use super::register::{Act, Content, Register};
use super::sheet::Keyed;
use crate::cli::Site;
use crate::clock;
use crate::error::{Error, Exit, Result};
use crate::store::Kind;
use serde_json::json;
use target::Place;
use write::{For, Outcome, Refusal, Writer};

/// Slips noted in the register at once. After a crash no more than these are asked for.
const TOGETHER: usize = 500;

/// Imports what can be, and gives what became of every slip. Nothing is imported when the cover sheet does not fit.
pub fn run(site: &Site, options: &Options) -> Result<Checked> {
    let _lock = site.store.lock(Kind::Register, &site.by)?;
    let mut register = Register::read(site)?;
    let unknown = target::settle(site, &mut register)?;
    let mut checked = check::check_with(site, options, &register, &unknown)?;
    if checked.cover_differs() {
        return Ok(checked);
    }
    let slip = checked.slip.clone();
    let money: Vec<String> = checked.money.iter().map(|t| format!(", {} {}", t.field, t.read)).collect();
    let (file, encoding) = (checked.file.display(), &checked.encoding);
    site.talk.say(format!("{file}: {encoding}, {} slips of kind {}{}", checked.read, slip.kind, money.concat()));
    let good = std::mem::take(&mut checked.good);
    let place = Place::now(site, &slip)?;
    let statements = site_sql::read(&slip)?;
    let mut client = place.connect(site)?;
    if let Some(client) = &mut client {
        place.prepare(client)?;
    }
    let who = For { event: place.event.as_deref(), by: &site.by, zone: clock::zone(&site.profile.site) };
    let mut writer = match &mut client {
        Some(client) => Some(Writer::new(client, &site.profile, &slip, &statements, who)?),
        None => None,
    };
    let bar = site.talk.bar(good.len() as u64, "slips");
    for some in good.chunks(TOGETHER) {
        let series = some[0].number.series.clone();
        let hashed: Vec<(&Keyed, String)> = some.iter().map(|k| (k, k.hash(&slip.kind))).collect();
        let slips: Vec<Content> = hashed.iter().map(|(k, hash)| (k.number.running, hash.clone())).collect();
        let (target, event) = (place.target, place.event.clone());
        let generation = place.generation;
        register.write(&Act::Begin { series: series.clone(), target, event: event.clone(), generation, slips })?;
        let mut keyed: Vec<Content> = Vec::new();
        let mut broken = None;
        for (slip, hash) in hashed {
            let outcome = match &mut writer {
                Some(writer) => writer.write(slip, &hash, options.keeps_both(&slip.number)),
                None => Ok(Outcome::Imported),
            };
            match outcome {
                Ok(Outcome::Refused(refusal)) => checked.refuse(slip, refusal),
                Ok(done) => {
                    checked.count(slip, done == Outcome::Already);
                    keyed.push((slip.number.running, hash));
                }
                Err(e) => {
                    broken = Some(e);
                    break;
                }
            }
            bar.inc(1);
        }
        let known = broken.is_none();
        if !keyed.is_empty() {
            register.write(&Act::Keyed { series: series.clone(), target, event, slips: keyed })?;
        }
        if let Some(field) = &slip.call_back {
            let called = |k: &&Keyed| k.values.get(field).is_some_and(Option::is_some);
            let numbers: Vec<u64> = some.iter().filter(called).map(|k| k.number.running).collect();
            register.write(&Act::Called { series: series.clone(), numbers })?;
        }
        // Of the slip at which it broke off nobody knows; the next run asks.
        if known {
            register.write(&Act::End { series })?;
        }
        if let Some(e) = broken {
            return Err(broken_off(e, &checked));
        }
    }
    bar.finish_and_clear();
    let detail = json!({
        "kind": slip.kind, "target": place.target, "read": checked.read, "imported": checked.imported,
        "already": checked.already, "rejected": checked.rejected(),
    });
    site.store.journal().write(&site.by, "import paper", place.event.as_deref(), "done", detail)?;
    Ok(checked)
}

fn broken_off(e: Error, checked: &Checked) -> Error {
    let doing = format!("import '{}' to its end ({} slips are in)", checked.file.display(), checked.imported);
    let again = "import the same file again: what is in is not written twice.";
    // A refusal says itself what is to be done first.
    let hint = if e.exit() == Exit::Refused { format!("{} Then {again}", e.hint_text()) } else { again.to_owned() };
    e.restated(doing).hint(hint)
}

impl Refusal {
    /// As a line of the list of rejected slips.
    fn rejected(self, keyed: &Keyed, language: &str) -> Rejected {
        Rejected {
            line: self.line.unwrap_or(keyed.line),
            slip_no: keyed.number.to_string(),
            field: self.field,
            reason: self.reason.of(language).to_owned(),
        }
    }
}

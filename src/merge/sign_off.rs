//! `sign-off`: finance and IT say, each for themselves, that an event is settled.

use super::reconcile::{self, Reconciled};
use super::{connect, ledger, session};
use crate::cli::{Outcome, Site};
use crate::db::Client;
use crate::error::{Cannot, Error, Result};
use crate::queue;
use crate::store::{Kind, Mode};
use chrono::{DateTime, Utc};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::json;

/// Who must sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Finance,
    It,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Finance => "finance",
            Role::It => "it",
        }
    }
}

/// Arguments of `sign-off`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The event
    event: String,
    /// For whom you sign; the other signature must be another person's (--by)
    #[arg(long = "as", value_name = "ROLE")]
    role: Role,
    /// Check everything, and sign nothing
    #[arg(long)]
    dry_run: bool,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signature {
    #[serde(rename = "as")]
    pub role: String,
    pub by: String,
    pub at: DateTime<Utc>,
}

/// Who has signed `event` off, first to last.
pub fn signatures(client: &mut Client, event: &str) -> Result<Vec<Signature>> {
    let rows = client.query(crate::sql!("merge/signed_off.sql"), &[&event]).cannot("read who has signed off")?;
    Ok(rows.iter().map(|r| Signature { role: r.get(0), by: r.get(1), at: r.get(2) }).collect())
}

/// Signs, or says that it is signed, or why it cannot be.
pub fn command(site: &Site, args: &Args) -> Result<Outcome> {
    let (event, role) = (args.event.as_str(), args.role);
    let _lock = site.store.lock(Kind::Merge, &site.by)?;
    let mut client = connect(site)?;
    session(&mut client)?;
    ledger::ensure(&mut client)?;
    let signed = signatures(&mut client, event)?;
    if let Some(before) = signed.iter().find(|s| s.role == role.name()) {
        // A run that was killed may have signed and not said so.
        if !args.dry_run {
            journal(site, event, role, &before.by, &signed)?;
        }
        let text = format!("event {event} is signed off for {} already, by {}", role.name(), before.by);
        return Ok(outcome(event, role, &signed, true, text));
    }
    let found = checked(site, &mut client, event, role, &signed)?;
    if args.dry_run {
        let text = format!("event {event} can be signed off for {}", role.name());
        return Ok(outcome(event, role, &signed, false, text));
    }
    let totals =
        json!({ "units": found.sheet.units, "rows": found.sheet.rows, "money": found.account.money }).to_string();
    client
        .execute(crate::sql!("merge/sign_off.sql"), &[&event, &role.name(), &site.by, &crate::store::host(), &totals])
        .cannot(format!("sign off the event '{event}'"))?;
    let signed = signatures(&mut client, event)?;
    journal(site, event, role, &site.by, &signed)?;
    let rest = match (is_whole(&signed), role) {
        (true, _) => "; both have signed, the event is settled",
        (false, Role::Finance) => "; IT has still to sign",
        (false, Role::It) => "; finance has still to sign",
    };
    let text = format!("event {event} is signed off for {} by {}{rest}", role.name(), site.by);
    Ok(outcome(event, role, &signed, false, text))
}

fn journal(site: &Site, event: &str, role: Role, by: &str, signed: &[Signature]) -> Result<()> {
    let detail = json!({ "as": role.name(), "signed_off": is_whole(signed) });
    site.store.journal().write_once(by, "sign off", event, "as", detail)
}

/// Whether both have signed.
pub(super) fn is_whole(signed: &[Signature]) -> bool {
    [Role::Finance, Role::It].iter().all(|role| signed.iter().any(|s| s.role == role.name()))
}

fn outcome(event: &str, role: Role, signed: &[Signature], already: bool, text: String) -> Outcome {
    let json = json!({
        "event": event, "as": role, "already": already, "signed_off": is_whole(signed), "signatures": signed,
    });
    Outcome::new(json, text)
}

/// Reconciles the event anew; everything that is not settled is a reason to refuse, and all are named at once.
fn checked(site: &Site, client: &mut Client, event: &str, role: Role, signed: &[Signature]) -> Result<Reconciled> {
    let doing = || format!("sign off the event '{event}' for {}", role.name());
    if let Some(other) = signed.iter().find(|s| same_person(&s.by, &site.by)) {
        return Err(Error::refused(doing(), format!("'{}' has signed for {} already", other.by, other.role))
            .hint("finance and IT are two people: let the other one sign, with --by NAME."));
    }
    // A batch that is not there is no damage here, but a reason: what is there cannot be read back as a whole.
    let (chain, _) = queue::chain(&site.store, event)?;
    let missing = reconcile::said(site, client, event, &chain)?.missing;
    if !missing.is_empty() {
        let what = if missing.len() == 1 { "batch" } else { "batches" };
        return Err(Error::refused(doing(), format!("the store lacks {what} {}", reconcile::numbers(&missing)))
            .hint("put them back into the store's queue from the mirror or a copy; while the standby is there his-export-queue makes them again."));
    }
    let found = reconcile::read_back(site, client, event)?;
    let reasons = reasons(site, &found)?;
    let Some((_, hint)) = reasons.first().cloned() else { return Ok(found) };
    let list: Vec<String> = reasons.into_iter().map(|(reason, _)| reason).collect();
    Err(Error::refused(doing(), list.join("; ")).hint(hint))
}

/// What is not settled, each with what to do about it.
fn reasons(site: &Site, found: &Reconciled) -> Result<Vec<(String, &'static str)>> {
    let mut reasons = Vec::new();
    let state = site.store.state()?;
    if state.mode != Mode::Normal && state.event.is_some_and(|e| e.id == found.event) {
        reasons.push((
            format!("the windows are still in mode '{}' (expected normal)", state.mode),
            "his-switch primary brings them back and closes the event.",
        ));
    }
    if !found.account.closed {
        reasons.push((
            "the event has no closing record".to_owned(),
            "his-switch primary closes the standby, writes the record and merges it; after that, his-merge.",
        ));
    }
    match found.sheet.units.held {
        0 => {}
        1 => reasons.push(("1 unit is held".to_owned(), HELD)),
        held => reasons.push((format!("{held} units are held"), HELD)),
    }
    if let Some(fault) = found.faults.first() {
        let more =
            if found.faults.len() > 1 { format!(" (and {} more)", found.faults.len() - 1) } else { String::new() };
        reasons.push((
            format!("it does not balance: {fault}{more}"),
            "his-merge reconcile shows where; his-merge merges what is not merged yet.",
        ));
    }
    let outstanding: u64 = found.paper.slips.iter().map(|s| s.outstanding).sum();
    if outstanding > 0 {
        reasons.push((
            format!("{outstanding} paper slips are outstanding"),
            "his-import-paper status lists them; each must be keyed, or registered as void or missing.",
        ));
    }
    for report in found.reports.iter().filter(|r| r.must_end) {
        match (&report.error, report.rows.len()) {
            (Some(error), _) => reasons.push((error.clone(), "mend the report's query, and sign then.")),
            (None, 0) => {}
            (None, open) => reasons.push((format!("{}: {open} open", report.name), UNENDED)),
        }
    }
    let open: Vec<String> = found.open().map(|d| d.id.to_string()).collect();
    match open.as_slice() {
        [] => {}
        [one] => reasons.push((format!("difference {one} is open"), OPEN)),
        some => reasons.push((format!("{} differences are open", some.len()), OPEN)),
    }
    Ok(reasons)
}

const HELD: &str = "his-merge conflicts lists them, his-merge resolve decides them.";
const UNENDED: &str =
    "his-merge reconcile lists them; each must be brought to its end first, at his-desk or in the HIS.";
const OPEN: &str = "his-merge reconcile lists what the primary holds otherwise; correct it there, or accept it with --accept ID --why TEXT.";

fn same_person(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

//! `wipe`: what patients' rows said is taken away when an event has been signed off for a set time. Hashes, counts, sums,
//! keys, decisions and signatures stay: they prove what was merged.

use super::sign_off;
use super::{connect, ledger, session};
use crate::cli::{Outcome, Site, in_units};
use crate::db::Client;
use crate::error::{Cannot, Error, Result};
use crate::profile::Slip;
use crate::queue;
use crate::store::Kind;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

/// Arguments of `wipe`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Say what would be wiped, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What was taken away of one event.
#[derive(Debug, Clone, Serialize)]
struct Wiped {
    event: String,
    signed_off_at: DateTime<Utc>,
    #[serde(flatten)]
    batches: queue::Wiped,
    /// Rows as the standby and the primary had them, in conflicts and where a decision wrote over one.
    images: i64,
    /// Changes of units that were held.
    changes: i64,
    /// Values of differences that were accepted.
    accepted: i64,
    slips: i64,
}

impl Wiped {
    fn is_nothing(&self) -> bool {
        self.batches == queue::Wiped::default() && self.images + self.changes + self.accepted + self.slips == 0
    }
}

/// Wipes every event whose time has come.
pub fn command(site: &Site, args: &Args) -> Result<Outcome> {
    let doing = "wipe what patients' rows said";
    let Some(after) = site.profile.store.wipe_after else {
        return Err(Error::usage(doing, "the profile does not say after what time").hint(
            "set wipe_after in [store], such as \"180d\"; what the law wants kept longer must be in the HIS itself.",
        ));
    };
    let after = chrono::Duration::from_std(after).map_err(|e| Error::usage(doing, e))?;
    let _lock = site.store.lock(Kind::Merge, &site.by)?;
    let mut client = connect(site)?;
    session(&mut client)?;
    let due = Utc::now() - after;
    let (mut wiped, mut waiting) = (Vec::new(), Vec::new());
    if ledger::is_there(&mut client)? {
        for event in site.store.events()? {
            let signed = sign_off::signatures(&mut client, &event)?;
            let whole = sign_off::is_whole(&signed);
            match signed.iter().map(|s| s.at).max() {
                Some(at) if whole && at <= due => wiped.push(one(site, &mut client, event, at, due, args.dry_run)?),
                Some(at) if whole => waiting.push((event, Some(at + after))),
                _ => waiting.push((event, None)),
            }
        }
    }
    wiped.retain(|w| !w.is_nothing());
    Ok(outcome(site, &wiped, &waiting, args.dry_run))
}

/// The primary first: as long as a batch has its rows, a run that was killed is seen to have something left to do.
fn one(
    site: &Site,
    client: &mut Client,
    event: String,
    signed_off_at: DateTime<Utc>,
    due: DateTime<Utc>,
    dry_run: bool,
) -> Result<Wiped> {
    let doing = || format!("wipe what patients' rows said in the event '{event}'");
    let mut tx = client.transaction().cannot(doing())?;
    let taken = tx.query_one(crate::sql!("merge/wipe/ledger.sql"), &[&event]).cannot(doing())?;
    let keyed: bool = tx.query_one(crate::sql!("paper/there.sql"), &[]).cannot(doing())?.get(0);
    let slips = if keyed {
        let money = site.profile.slips.iter().flat_map(Slip::money);
        let money: Vec<&str> = money.map(|column| column.field.as_str()).collect();
        tx.query_one(crate::sql!("merge/wipe/slips.sql"), &[&event, &money, &due]).cannot(doing())?.get(0)
    } else {
        0
    };
    if dry_run { tx.rollback() } else { tx.commit() }.cannot(doing())?;
    let note = json!({
        "event": event, "signed_off_at": signed_off_at, "wiped_at": Utc::now(), "by": site.by, "host": crate::store::host(),
    });
    let batches = queue::wipe(&site.store, &event, &note, dry_run)?;
    let (images, changes, accepted) = (taken.get(0), taken.get(1), taken.get(2));
    let wiped = Wiped { event, signed_off_at, batches, images, changes, accepted, slips };
    if !dry_run && !wiped.is_nothing() {
        let detail = serde_json::to_value(&wiped).cannot("tell what was wiped")?;
        site.store.journal().write(&site.by, "wipe", Some(&wiped.event), "done", detail)?;
    }
    Ok(wiped)
}

fn outcome(site: &Site, wiped: &[Wiped], waiting: &[(String, Option<DateTime<Utc>>)], dry_run: bool) -> Outcome {
    let would = if dry_run { "would wipe" } else { "wiped" };
    let mut lines: Vec<String> = Vec::new();
    for w in wiped {
        lines.push(format!(
            "{would} event {}, signed off {}: {} files of {} batches, {}; {} images, {} changes and {} values in the ledger, {} slips",
            w.event,
            site.time(w.signed_off_at),
            w.batches.files,
            w.batches.batches,
            in_units(w.batches.bytes),
            w.images,
            w.changes,
            w.accepted,
            w.slips
        ));
    }
    for (event, at) in waiting {
        lines.push(match at {
            Some(at) => format!("event {event}: from {}", site.time(*at)),
            None => format!("event {event}: not signed off"),
        });
    }
    if wiped.is_empty() {
        lines.insert(0, "nothing to wipe".to_owned());
    }
    let waiting: Vec<Value> = waiting.iter().map(|(event, from)| json!({ "event": event, "from": from })).collect();
    Outcome::new(json!({ "wiped": wiped, "waiting": waiting, "dry_run": dry_run }), lines.join("\n"))
}

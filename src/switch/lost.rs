//! A standby that cannot be reached: refused, unless somebody gives it up; and when it comes back by itself, closed.

use super::open::{self, Closed};
use super::ours;
use crate::cli::Site;
use crate::clock;
use crate::db::{self, Server};
use crate::error::{Error, Result};
use crate::queue;
use crate::standby::{Gate, Generation};
use crate::store::{Event, Mode};
use chrono::Utc;
use serde_json::json;
use std::time::Duration;

/// A standby that has not answered in this time cannot be reached.
pub(super) const LIMIT: Duration = Duration::from_secs(3);

/// How the event's standby stands when the windows are to leave it.
pub enum Standby {
    /// The event has never opened it.
    Unused,
    There(Box<Server>),
    /// Given up with `--standby-lost`.
    Lost {
        /// The last batch whose units are known; 0 when there is none.
        after: u64,
        /// For people: unknown after batch N of TIME.
        text: String,
        why: String,
    },
}

/// Looks for the standby of `event`. One that cannot be reached is an error (6) unless it is `given_up`, with the reason.
pub fn standby(site: &Site, event: &Event, given_up: Option<&str>) -> Result<Standby> {
    let Some(number) = event.generation else { return Ok(Standby::Unused) };
    let server = site.profile.standby()?.named(ours::PROGRAM);
    let asked = server.clone();
    let found = db::within(LIMIT, move || Generation::all(&asked));
    let reason = match found {
        None => format!("no answer within {} s", LIMIT.as_secs()),
        Some(Err(e)) => e.to_string(),
        Some(Ok(all)) => match all.iter().find(|g| g.number == number) {
            Some(generation) if generation.database == server.database() => {
                if given_up.is_some() {
                    site.talk.say("the standby answers, so it is not given up: --standby-lost is left aside");
                }
                return Ok(Standby::There(Box::new(server)));
            }
            // The opening was killed before this generation got the standby's name: nobody has written there.
            Some(generation) if generation.gate == Gate::Closed && generation.epoch < event.epoch => {
                return Ok(Standby::Unused);
            }
            _ => format!("generation {number} is not there under the name '{}'", server.database()),
        },
    };
    let (chain, _) = queue::chain(&site.store, &event.id)?;
    let (after, of) = chain.last().map_or((0, "nothing was exported".to_owned()), |b| {
        let at = clock::time_of_day(&site.profile.site, b.manifest.exported_at, Utc::now());
        (b.manifest.batch, format!("batch {} of {at}", b.manifest.batch))
    });
    match given_up {
        Some(why) => {
            let text = if after == 0 {
                format!("unknown: {of}, so what event {} wrote on the standby is not known", event.id)
            } else {
                format!("unknown after {of}: what event {} wrote on the standby after that", event.id)
            };
            Ok(Standby::Lost { after, text, why: why.to_owned() })
        }
        None => Err(Error::unreachable("close the standby, which may be open", reason).hint(format!(
            "bring the standby back and run the same command again; if it is lost for good, add --standby-lost --why TEXT (then everything after {} is unknown).",
            if after == 0 { "the opening".to_owned() } else { of }
        ))),
    }
}

/// Journals whom the closing ended.
pub fn journal_closed(site: &Site, event: &Event, closed: &Closed) -> Result<()> {
    for ended in &closed.drained {
        site.talk.warn(format!(
            "a transaction of {} ({}, {}) did not finish in time and was ended",
            ended.user, ended.application, ended.address
        ));
    }
    site.store.journal().write(&site.by, "close standby", Some(&event.id), "done", json!(closed))
}

/// Closes a standby that was given up and has come back by itself. Cheap when none was; best effort.
pub fn close_returned(site: &Site) {
    let Ok(state) = site.store.state() else { return };
    let Some(event) = state.event.filter(|e| e.lost_after_batch.is_some()) else { return };
    if state.mode == Mode::Standby || state.moving.is_some() {
        return;
    }
    let Ok(server) = site.profile.standby().map(|s| s.named(ours::PROGRAM)) else { return };
    let asked = server.clone();
    let gate = db::within(LIMIT, move || -> Result<Option<Gate>> {
        let mut client = asked.connect_within(asked.database(), LIMIT)?;
        Ok(Generation::read(&mut client, asked.database())?.map(|g| g.gate))
    });
    if !matches!(gate, Some(Ok(Some(Gate::Open | Gate::DiedOpen)))) {
        return;
    }
    match open::close(site, &server).and_then(|closed| journal_closed(site, &event, &closed)) {
        Ok(()) => site.talk.warn(format!(
            "the standby that was given up in event {} is back; it is closed now, and his-export-queue brings what it holds",
            event.id
        )),
        Err(e) => site.talk.warn(format!("the standby that was given up is back and open, and {e}")),
    }
}

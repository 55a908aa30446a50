//! What all moves share: the event in the store, the fence as the store knows it, and how a move ends.

use super::fence::{self, Wanted};
use super::hooks::{self, Moved};
use super::primary_side::{self, Answer};
use super::{endpoint, guard, ours};
use crate::cli::{Outcome, Site};
use crate::db;
use crate::error::{Error, Exit, Result};
use crate::profile;
use crate::queue;
use crate::store::{Event, FenceState, Kind, Mode, Move, State, Store};
use chrono::Utc;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The event that is going on: windows are away from the primary, or a move away has begun.
#[must_use]
pub fn running_event(state: &State) -> Option<&Event> {
    let away = state.mode != Mode::Normal || state.moving.is_some();
    state.event.as_ref().filter(|e| away && e.ended_at.is_none())
}

/// Whether the last batch of `event` says that nothing follows.
pub fn has_closing_record(site: &Site, event: &str) -> Result<bool> {
    let (chain, _) = queue::chain(&site.store, event)?;
    Ok(chain.last().is_some_and(|b| b.manifest.closing.is_some()))
}

/// Notes durably, before anything else is done, that a move has begun and under which event.
pub fn begin(site: &Site, event: &Event, to: Mode) -> Result<State> {
    let state = State::update(&site.store, |s| {
        s.epoch = s.epoch.max(event.epoch);
        s.event = Some(event.clone());
        let begun_at = s.moving.as_ref().filter(|m| m.to == to).map_or_else(Utc::now, |m| m.begun_at);
        s.moving = Some(Move { to, begun_at, step: "begun".to_owned() });
    })?;
    let detail = json!({ "reason": event.reason, "ordered_by": event.ordered_by, "level": event.level, "generation": event.generation, "data_until": event.data_until });
    site.store.journal().write(&site.by, &act(to), Some(&event.id), "begun", detail)?;
    Ok(state)
}

/// What the journal calls the move.
#[must_use]
pub fn act(to: Mode) -> String {
    format!("switch {}", name(to))
}

/// What the command is called.
#[must_use]
pub fn name(to: Mode) -> &'static str {
    match to {
        Mode::Normal => "primary",
        Mode::Standby => "standby",
        Mode::Paper => "paper",
    }
}

/// Notes how far the move is, in the words of the plan.
pub fn reached(site: &Site, step: &str) -> Result<()> {
    State::update(&site.store, |s| {
        if let Some(moving) = &mut s.moving {
            step.clone_into(&mut moving.step);
        }
    })
    .map(drop)
}

/// What is to be done about the primary before the windows leave it.
#[derive(Debug)]
pub enum Fencing {
    /// No fence, and why.
    NotWanted(&'static str),
    /// It does not answer; put on at first contact.
    Pending(String),
    PutOn(Wanted, fence::Put),
    /// The store knows that it is on.
    On,
}

impl Fencing {
    /// The step of the plan.
    #[must_use]
    pub fn step(&self) -> Option<String> {
        match self {
            Fencing::NotWanted(_) | Fencing::On => None,
            Fencing::Pending(_) => Some("note that the fence is put on the primary at first contact".to_owned()),
            Fencing::PutOn(_, put) => Some(format!("fence the primary: {}", put.text())),
        }
    }

    /// What a person should know about the primary before.
    #[must_use]
    pub fn note(&self) -> String {
        match self {
            Fencing::NotWanted(why) => format!("the primary is not fenced: {why}"),
            Fencing::Pending(why) => format!("the primary counts as down: {why}"),
            Fencing::PutOn(..) => "the primary answers".to_owned(),
            Fencing::On => "the primary is fenced already".to_owned(),
        }
    }
}

/// Decides from the primary's answer, or refuses (4) when windows could stay behind on it.
pub fn decide_fence(site: &Site, answer: Option<Answer>, wanted: Option<Wanted>, both_live: bool) -> Result<Fencing> {
    if both_live {
        return Ok(Fencing::NotWanted("both sides are said to work (--both-live)"));
    }
    let Some(answer) = answer else { return Ok(Fencing::On) };
    let Some(wanted) = wanted else {
        return match answer {
            Answer::Down(_) | Answer::Silent(_) => {
                Ok(Fencing::NotWanted("it does not answer, and the profile wants no fence"))
            }
            Answer::Closed(_) | Answer::Answers { .. } => Err(Error::refused(
                "move the windows",
                "the primary answers, and the profile says fence = \"none\"",
            )
            .hint("take fence = \"none\" out of the profile; or say --both-live, if both sides are to work at once.")),
        };
    };
    let both = "or say --both-live, if only some windows are cut off and both sides really work.";
    match answer {
        Answer::Down(_) | Answer::Silent(_) => Ok(Fencing::Pending(answer.absence().unwrap_or_default())),
        Answer::Closed(error) => {
            let reason = format!("it is there, but does not let us in, so windows may be working on it ({error})");
            let first = if reason.contains("(SQLSTATE 53300)") {
                "all its sessions are taken: end some, or stop its server, and say this again;"
            } else {
                "check user, password and rights of [primary] url;"
            };
            Err(Error::refused("fence the primary", reason).hint(format!("{first} {both}")))
        }
        Answer::Answers { look, .. } if look.in_recovery => {
            Ok(Fencing::Pending("it is a replica in recovery, where no window can write".to_owned()))
        }
        Answer::Answers { fence: Some(Ok(put)), .. } => Ok(Fencing::PutOn(wanted, put)),
        Answer::Answers { fence: Some(Err(error)), .. } => match error.exit() {
            Exit::Unreachable => Ok(Fencing::Pending(error.to_string())),
            Exit::Refused => Err(error),
            _ => Err(Error::refused("fence the primary", error.to_string()).hint(format!(
                "the role of [primary] url needs CREATEROLE (or ownership of the database) and pg_signal_backend; {both}"
            ))),
        },
        Answer::Answers { fence: None, .. } => {
            let limit = site.profile.limits.fence;
            Ok(Fencing::Pending(format!("it did not answer the fence within {} s", limit.as_secs_f32())))
        }
    }
}

/// Puts the fence on as decided; gives how it stands now, noted in the store and the journal.
pub fn fence(site: &Site, event: &Event, fencing: Fencing) -> Result<FenceState> {
    let pending = |why: String| -> Result<FenceState> {
        note_fence(site, FenceState::Pending)?;
        site.talk.say(format!("the primary counts as down ({why}); it is fenced at first contact"));
        let detail = json!({ "reason": why });
        site.store.journal().write(&site.by, "fence", Some(&event.id), "pending", detail)?;
        Ok(FenceState::Pending)
    };
    match fencing {
        Fencing::NotWanted(why) => {
            site.talk.say(format!("the primary is not fenced: {why}"));
            site.store.journal().write(&site.by, "fence", Some(&event.id), "not put on", json!({ "reason": why }))?;
            Ok(site.store.state()?.fence)
        }
        Fencing::On => Ok(FenceState::On),
        Fencing::Pending(why) => pending(why),
        Fencing::PutOn(wanted, _) => {
            match put_on(site, &wanted.of_event(&event.id), site.profile.limits.fence, |_| true)? {
                Some(put) => {
                    note_fence(site, FenceState::On)?;
                    site.talk.say(format!("the primary is fenced: {}", put.text()));
                    site.store.journal().write(&site.by, "fence", Some(&event.id), "done", json!(put))?;
                    Ok(FenceState::On)
                }
                None => pending("it stopped answering".to_owned()),
            }
        }
    }
}

/// Puts the fence on within `limit`; `None` when the primary is not there, or the fence is not wanted any more.
fn put_on(
    site: &Site,
    wanted: &Wanted,
    limit: Duration,
    still_wanted: fn(&Store) -> bool,
) -> Result<Option<fence::Put>> {
    let server = site.profile.primary()?.named(ours::PROGRAM);
    let (wanted, store) = (wanted.clone(), site.store.clone());
    let put = db::within(limit, move || {
        let mut client = server.connect_within(server.database(), limit)?;
        fence::put_on(&mut client, &wanted, || still_wanted(&store))
    });
    match put {
        None => Ok(None),
        Some(Err(e)) if e.exit() == Exit::Unreachable => Ok(None),
        Some(other) => other,
    }
}

pub fn note_fence(site: &Site, fence: FenceState) -> Result<()> {
    State::update(&site.store, |s| s.fence = fence).map(drop)
}

/// Puts a fence on that has been waiting for the primary to answer. Cheap when none is; never longer than `fence`.
///
/// Everything that runs during an event calls this: the export that cron runs each minute, every command of the switch,
/// and the guard that a move leaves behind. Whatever hinders it is for the next one.
pub fn at_first_contact(site: &Site) {
    match try_first_contact(site, site.profile.limits.fence) {
        Ok(Some(put)) => site.talk.say(format!("the primary answers again and is fenced: {}", put.text())),
        Ok(None) => {}
        Err(e) => site.talk.warn(format!("the primary answers again, but {e}; {}", e.hint_text())),
    }
}

/// As [`at_first_contact`]; `None` when no fence is waiting, or the primary is still not there.
pub fn try_first_contact(site: &Site, limit: Duration) -> Result<Option<fence::Put>> {
    let state = site.store.state()?;
    if state.fence != FenceState::Pending {
        return Ok(None);
    }
    let event = state.event.as_ref().map(|e| e.id.as_str());
    let Some(wanted) = Wanted::of(&site.profile, event, &site.by)? else { return Ok(None) };
    let Some(put) = put_on(site, &wanted, limit, fence::is_pending)? else { return Ok(None) };
    fenced_at_first_contact(site, &put)?;
    Ok(Some(put))
}

/// Notes that a waiting fence is on.
pub fn fenced_at_first_contact(site: &Site, put: &fence::Put) -> Result<()> {
    let state = State::update(&site.store, |s| {
        if s.fence == FenceState::Pending {
            s.fence = FenceState::On;
        }
    })?;
    let event = state.event.as_ref().map(|e| e.id.as_str());
    site.store.journal().write(&site.by, "fence at first contact", event, "done", json!(put))
}

/// Asks the primary and lets it answer with the fence's rehearsal.
pub fn ask_primary(site: &Site, wanted: Option<&Wanted>, dry_run: bool) -> Result<Answer> {
    primary_side::ask(site, site.profile.limits.fence, !dry_run, wanted.cloned())
}

/// Kinds of work whose locks a move lets go at once, because it does that work itself.
#[must_use]
pub fn own_work(planned: bool) -> &'static [Kind] {
    if planned { &[Kind::Snapshot, Kind::Load] } else { &[] }
}

/// Ends a move: state, journal, PgBouncers, hooks, guard. The mode is written before the hooks run and the move is forgotten after
/// them, so that a run killed in between is resumed.
pub fn finish(site: &Site, to: Mode, detail: Value, change: impl FnOnce(&mut State)) -> Result<Vec<String>> {
    let state = State::update(&site.store, |s| {
        if s.mode != to || s.since.is_none() {
            s.mode = to;
            s.since = Some(Utc::now());
        }
        if let Some(moving) = &mut s.moving {
            "hooks".clone_into(&mut moving.step);
        }
        change(s);
    })?;
    let event = state.event.clone();
    let id = event.as_ref().map(|e| e.id.as_str());
    site.store.journal().write(&site.by, &act(to), id, "done", detail)?;
    // Before the hooks: they may tell people that the windows can work.
    let mut failed = endpoint::lead(site, &state)?;
    if let Some(event) = &event {
        failed.extend(hooks::run(site, Moved { to: name(to), mode: to, event })?);
    }
    let state = State::update(&site.store, |s| s.moving = None)?;
    if state.fence == FenceState::Pending {
        guard::leave_behind(site);
    }
    Ok(failed)
}

/// The result of a move, in the contract's form and a text; warnings make it need a person.
#[must_use]
pub fn outcome(state: &State, started: Instant, text: String, warnings: &[String], more: Value) -> Outcome {
    let mut json = json!({
        "mode": state.mode,
        "event": state.event.as_ref().map(|e| &e.id),
        "seconds": (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
    });
    if let (Some(json), Value::Object(more)) = (json.as_object_mut(), more) {
        json.extend(more);
        json.insert("fence".to_owned(), json!(state.fence));
        json.insert("warnings".to_owned(), json!(warnings));
    }
    let exit = if warnings.is_empty() { Exit::Done } else { Exit::NeedsPerson };
    let text =
        std::iter::once(text).chain(warnings.iter().map(|w| format!("NOTE: {w}"))).collect::<Vec<_>>().join("\n");
    Outcome::new(json, text).exit(exit)
}

/// True when the profile asks for a fence at all.
#[must_use]
pub fn wants_fence(profile: &profile::Profile) -> bool {
    profile.fence != profile::Fence::None
}

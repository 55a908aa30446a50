//! `his-switch paper`: the windows go to paper. From the primary, with any server on or off; or from the standby, which
//! is closed and its tail exported.

use super::fence::Wanted;
use super::moves::{self, Fencing};
use super::plan::Plan;
use super::primary_side::Answer;
use super::to_standby::{self, Opening};
use super::{lost, open, ours, precedence};
use crate::cli::{Outcome, Site};
use crate::db;
use crate::error::{Error, Result};
use crate::export;
use crate::standby::Generation;
use crate::store::{Event, FenceState, Kind, Mode, State};
use chrono::Utc;
use serde_json::json;
use std::time::{Duration, Instant};

/// How long the standby is asked for the epochs that it knows; paper does not wait for it.
const EPOCHS_LIMIT: Duration = Duration::from_secs(2);

/// Moves the windows to paper, or goes on with a move that was killed. `why` is given with `--standby-lost`.
pub fn run(site: &Site, opening: &Opening, given_up: Option<&str>) -> Result<Outcome> {
    let started = Instant::now();
    let _precedence = if opening.dry_run { None } else { Some(precedence::take(site, &[])?) };
    let state = site.store.state()?;
    if state.mode == Mode::Paper && state.moving.is_none() {
        return Err(Error::refused("move the windows to paper", "they are on paper already")
            .hint("his-switch standby or his-switch primary are the ways from here; his-switch status says more."));
    }
    match moves::running_event(&state) {
        None => from_primary(site, opening, &state, started),
        Some(event) => within_event(site, opening, &state, event.clone(), given_up, started),
    }
}

/// A new event that begins on paper.
fn from_primary(site: &Site, opening: &Opening, state: &State, started: Instant) -> Result<Outcome> {
    let wanted = Wanted::of(&site.profile, None, &site.by)?;
    let standby = site.profile.standby()?.named(ours::PROGRAM);
    let (answer, all) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| moves::ask_primary(site, wanted.as_ref(), opening.dry_run));
        let all = db::within(EPOCHS_LIMIT, move || Generation::all(&standby)).and_then(Result::ok).unwrap_or_default();
        (asking.join(), all)
    });
    let answer = answer.map_err(|_| Error::failed("ask the primary", "the asking thread ended unexpectedly"))??;
    let ledger_epoch = match &answer {
        Answer::Answers { look, .. } => look.ledger_epoch,
        _ => 0,
    };
    let fencing = moves::decide_fence(site, Some(answer), wanted, opening.both_live)?;
    let event = to_standby::new_event(site, opening, state, &all, ledger_epoch);
    let mut plan = Plan::new(format!("move the windows to paper, event {}", event.id));
    plan.note(fencing.note());
    plan.step(format!("write event {} into the store", event.id));
    plan.steps.extend(fencing.step());
    plan.step("from then on the windows write slips");
    to_standby::last_steps(site, &mut plan, Mode::Paper);
    if opening.dry_run {
        return Ok(plan.dry_run(state, Mode::Paper));
    }
    plan.say(&site.talk);
    moves::begin(site, &event, Mode::Paper)?;
    if let Err(error) = moves::fence(site, &event, fencing) {
        return Err(to_standby::undo_refused(site, state, Mode::Paper, error));
    }
    done(site, &event, &[], started)
}

/// The running event goes on on paper.
fn within_event(
    site: &Site,
    opening: &Opening,
    state: &State,
    mut event: Event,
    given_up: Option<&str>,
    started: Instant,
) -> Result<Outcome> {
    let standby = lost::standby(site, &event, given_up)?;
    let fencing = missing_fence(site, state, &event, opening)?;
    let mut plan = Plan::new(format!("move the windows to paper, event {}, which goes on", event.id));
    if let Some(fencing) = &fencing {
        plan.note(fencing.note());
        plan.steps.extend(fencing.step());
    }
    match &standby {
        lost::Standby::Unused => {}
        lost::Standby::There(_) => {
            plan.step("let new connections of the windows step over the standby");
            plan.step(format!(
                "close the gate: running transactions get {} s, then they are ended",
                site.profile.limits.drain.as_secs_f32()
            ));
            plan.step("export the tail");
        }
        lost::Standby::Lost { after, text, .. } => {
            plan.note(format!("the standby is given up: {text}"));
            plan.step(format!("note that everything after batch {after} is unknown"));
        }
    }
    plan.step("from then on the windows write slips");
    to_standby::last_steps(site, &mut plan, Mode::Paper);
    if opening.dry_run {
        return Ok(plan.dry_run(state, Mode::Paper));
    }
    plan.say(&site.talk);
    let mut warnings = Vec::new();
    if let lost::Standby::Lost { after, .. } = &standby {
        event.lost_after_batch = Some(*after);
    }
    moves::begin(site, &event, Mode::Paper)?;
    if let Some(fencing) = fencing {
        moves::fence(site, &event, fencing)?;
    }
    match standby {
        lost::Standby::Unused => {}
        lost::Standby::There(server) => {
            let closed = open::close(site, &server)?;
            lost::journal_closed(site, &event, &closed)?;
            moves::reached(site, "the standby is closed")?;
            precedence::undisturbed(site, Kind::Export, || export::run(site, false))?;
        }
        lost::Standby::Lost { text, why, .. } => {
            site.store.journal().write(
                &site.by,
                "give up the standby",
                Some(&event.id),
                "done",
                json!({ "after_batch": event.lost_after_batch, "why": why }),
            )?;
            warnings.push(text);
        }
    }
    done(site, &event, &warnings, started)
}

/// The fence that the running event should have and does not; `None` when there is nothing to do about it.
fn missing_fence(site: &Site, state: &State, event: &Event, opening: &Opening) -> Result<Option<Fencing>> {
    if state.fence == FenceState::On || event.both_live || opening.both_live || !moves::wants_fence(&site.profile) {
        return Ok(None);
    }
    let wanted = Wanted::of(&site.profile, Some(&event.id), &site.by)?;
    let answer = moves::ask_primary(site, wanted.as_ref(), opening.dry_run)?;
    moves::decide_fence(site, Some(answer), wanted, false).map(Some)
}

fn done(site: &Site, event: &Event, warnings: &[String], started: Instant) -> Result<Outcome> {
    let event_now = event.clone();
    let mut warnings = warnings.to_vec();
    let detail = json!({ "lost_after_batch": event.lost_after_batch, "at": Utc::now() });
    warnings.extend(moves::finish(site, Mode::Paper, detail, |s| s.event = Some(event_now))?);
    let state = site.store.state()?;
    let text = format!("the windows are on paper, event {}: slips are written from now on", event.id);
    Ok(moves::outcome(&state, started, text, &warnings, json!({})))
}

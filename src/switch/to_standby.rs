//! `his-switch standby`: the windows go to the standby.

use super::choose::{self, Asked, Choice, Why};
use super::fence::Wanted;
use super::moves::{self, Fencing};
use super::open::{self, Opened};
use super::plan::Plan;
use super::precedence::{self, Precedence};
use super::primary_side::Answer;
use super::{endpoint, fence, ours};
use crate::cli::{Outcome, Site};
use crate::clock;
use crate::db::Server;
use crate::error::{Error, Exit, Result};
use crate::standby::{self, Gate, Generation};
use crate::store::{Event, FenceState, Kind, Mode, State};
use crate::{export, load, queue, snapshot};
use chrono::Utc;
use serde_json::json;
use std::time::Instant;

/// What the commander said.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Opening {
    pub reason: Option<String>,
    pub ordered_by: Option<String>,
    pub level: Option<u8>,
    pub accept_stale: bool,
    pub both_live: bool,
    pub planned: bool,
    pub dry_run: bool,
}

/// Everything that is known before anything is changed.
struct Prepared {
    standby: Server,
    all: Vec<Generation>,
    /// The event that the opening goes on with, or a new one. Its generation is set when the choice is made.
    event: Event,
    resumes: bool,
    fencing: Fencing,
}

/// Opens the standby for the windows, or goes on with an opening that was killed, or confirms one that died open.
pub fn run(site: &Site, opening: &Opening) -> Result<Outcome> {
    let started = Instant::now();
    // Before anything is ended for it: a command that is not understood ends nothing.
    if moves::running_event(&site.store.state()?).is_none() {
        require_reason(opening.reason.as_deref().unwrap_or_default())?;
    }
    let precedence =
        if opening.dry_run { None } else { Some(precedence::take(site, moves::own_work(opening.planned))?) };
    let state = site.store.state()?;
    if let Some(outcome) = already_open(site, &state, started)? {
        return Ok(outcome);
    }
    let mut prepared = prepare(site, opening, &state)?;
    // A planned opening that was killed before its generation was loaded begins again; after that it is like any other.
    if opening.planned && prepared.event.generation.is_none() {
        return planned(site, opening, &state, prepared, precedence, started);
    }
    let choice = choose(site, opening, &state, &prepared)?;
    refuse_foreign(&prepared, &choice)?;
    of_generation(&mut prepared.event, &choice.generation);
    open::refuse_prepared(&mut prepared.standby.connect_to("postgres")?, &databases(&prepared, &choice))?;
    let plan = plan(site, &prepared, &choice);
    if opening.dry_run {
        return Ok(plan.dry_run(&state, Mode::Standby));
    }
    plan.say(&site.talk);
    carry_out(site, &state, prepared, &choice, started)
}

/// A new event wants a reason.
fn require_reason(reason: &str) -> Result<()> {
    if reason.is_empty() {
        return Err(Error::usage("open the standby", "no reason is given")
            .hint("his-switch standby --reason TEXT; the reason goes into the journal and the report."));
    }
    Ok(())
}

/// Mode standby, gate open, new connections land here: there is nothing to do.
fn already_open(site: &Site, state: &State, started: Instant) -> Result<Option<Outcome>> {
    if state.mode != Mode::Standby || state.moving.is_some() {
        return Ok(None);
    }
    let standby = site.profile.standby()?.named(ours::PROGRAM);
    let mut client = standby.connect().map_err(|e| {
        e.hint("the windows are said to work there: bring it back; if it is lost for good: his-switch paper --standby-lost --why TEXT.")
    })?;
    let open = Generation::read(&mut client, standby.database())?.is_some_and(|g| g.gate == Gate::Open);
    let away = super::status::is_steered_away(&mut client, standby.database())?;
    let since = state.since.map(|t| clock::time_of_day(&site.profile.site, t, Utc::now())).unwrap_or_default();
    let event = state.event.as_ref().map(|e| e.id.as_str()).unwrap_or_default();
    let text = format!("the windows work on the standby already, event {event}, since {since}; nothing to do");
    if !open || away {
        return Ok(None);
    }
    moves::at_first_contact(site);
    let warnings = endpoint::lead(site, state)?;
    Ok(Some(moves::outcome(state, started, text, &warnings, json!({ "already": true }))))
}

fn prepare(site: &Site, opening: &Opening, state: &State) -> Result<Prepared> {
    let standby = site.profile.standby()?.named(ours::PROGRAM);
    let running = match moves::running_event(state) {
        // After its closing record an event takes no more units; what follows is a new event on the same generation.
        Some(event) if moves::has_closing_record(site, &event.id)? => None,
        other => other,
    };
    let both_live = opening.both_live || running.is_some_and(|e| e.both_live);
    // A return that was broken off after the closing record goes on under the old reason.
    let broken_off = moves::running_event(state).map(|e| e.reason.as_str());
    let reason = opening.reason.as_deref().or(broken_off).unwrap_or_default();
    if running.is_none() {
        require_reason(reason)?;
    }
    let wanted = Wanted::of(&site.profile, running.map(|e| e.id.as_str()), &site.by)?;
    // A fence that is on stays on, and its primary need not be waited for.
    let ask = !(running.is_some() && state.fence == FenceState::On);
    let (answer, all) = std::thread::scope(|scope| {
        let asking = ask.then(|| scope.spawn(|| moves::ask_primary(site, wanted.as_ref(), opening.dry_run)));
        let all = Generation::all(&standby);
        (asking.map(std::thread::ScopedJoinHandle::join), all)
    });
    let answer = match answer {
        None => None,
        Some(Ok(answer)) => Some(answer?),
        Some(Err(_)) => return Err(Error::failed("ask the primary", "the asking thread ended unexpectedly")),
    };
    let all = all.map_err(|e| match e.exit() {
        Exit::Unreachable => e.hint("the standby cannot be reached either: his-switch paper."),
        _ => e,
    })?;
    if opening.planned && running.is_none_or(|e| e.generation.is_none()) {
        refuse_absent(answer.as_ref())?;
    }
    let ledger_epoch = match &answer {
        Some(Answer::Answers { look, .. }) => look.ledger_epoch,
        _ => 0,
    };
    let fencing = moves::decide_fence(site, answer, wanted, both_live)?;
    let event = match running {
        Some(event) => event.clone(),
        None => Event { reason: reason.to_owned(), ..new_event(site, opening, state, &all, ledger_epoch) },
    };
    Ok(Prepared { standby, all, event, resumes: running.is_some(), fencing })
}

/// `--planned` is for a primary that is there.
fn refuse_absent(answer: Option<&Answer>) -> Result<()> {
    match answer.and_then(Answer::absence) {
        Some(reason) => Err(Error::unreachable("take the last snapshot for a planned opening", reason)
            .hint("leave --planned out: the newest loaded generation is opened.")),
        None => Ok(()),
    }
}

/// The epoch only grows: above every one that the store, the standby or the primary's ledger has seen.
pub(super) fn new_event(site: &Site, opening: &Opening, state: &State, all: &[Generation], ledger_epoch: u64) -> Event {
    let seen = all.iter().map(|g| g.epoch).chain([state.epoch, ledger_epoch]).max().unwrap_or(0);
    Event {
        id: queue::event_id(&site.profile.site.code, seen + 1),
        epoch: seen + 1,
        drill: false,
        opened_at: Utc::now(),
        reason: opening.reason.clone().unwrap_or_default(),
        ordered_by: opening.ordered_by.clone(),
        by: site.by.clone(),
        level: opening.level,
        both_live: opening.both_live,
        generation: None,
        snapshot: None,
        data_until: None,
        lost_after_batch: None,
        ended_at: None,
    }
}

fn choose(site: &Site, opening: &Opening, state: &State, prepared: &Prepared) -> Result<Choice> {
    // Also of an event that has its closing record: no window has been back on the primary since.
    let of_this_event = moves::running_event(state).and_then(|e| e.generation);
    let asked = Asked {
        site: &site.profile.site,
        of_this_event,
        merge_run: state.merge_run,
        max_age: site.profile.limits.max_age,
        now: Utc::now(),
        accept_stale: opening.accept_stale,
    };
    choose::choose(&prepared.all, prepared.standby.database(), asked)
}

/// A database that has the standby's name and is none of ours is not renamed away.
fn refuse_foreign(prepared: &Prepared, choice: &Choice) -> Result<()> {
    let name = prepared.standby.database();
    if choice.generation.database == name || current(prepared).is_some() {
        return Ok(());
    }
    if standby::databases(&prepared.standby)?.iter().any(|d| d == name) {
        return Err(Error::refused("open the standby", format!("the database '{name}' there is not of this toolkit"))
            .hint(
                "check [standby] url; if that database is not needed, rename it away and run: his-load-standby init.",
            ));
    }
    Ok(())
}

fn of_generation(event: &mut Event, generation: &Generation) {
    event.generation = Some(generation.number);
    event.snapshot.clone_from(&generation.snapshot);
    event.data_until = generation.taken_at;
    // Here it is again, with all that it captured.
    event.lost_after_batch = None;
}

fn databases(prepared: &Prepared, choice: &Choice) -> Vec<String> {
    vec![prepared.standby.database().to_owned(), choice.generation.database.clone()]
}

fn current(prepared: &Prepared) -> Option<&Generation> {
    prepared.all.iter().find(|g| g.database == prepared.standby.database())
}

fn plan(site: &Site, prepared: &Prepared, choice: &Choice) -> Plan {
    let event = &prepared.event;
    let goes_on = if prepared.resumes { ", which goes on" } else { "" };
    let mut plan = Plan::new(format!("open the standby for the windows, event {}{goes_on}", event.id));
    let (now, profile_site, generation) = (Utc::now(), &site.profile.site, &choice.generation);
    if let Some(at) = generation.taken_at {
        plan.note(clock::data_until(profile_site, at, now));
        if choice.why == Why::Fresh {
            plan.note(format!(
                "the gap: the standby does not know what the primary did in the {} before now",
                clock::length(now - at)
            ));
        }
    }
    match choice.why {
        Why::Fresh => plan.note(format!("generation {}, never opened before", generation.number)),
        Why::SameEvent => {
            plan.note(format!("generation {}, with what this event has written in it", generation.number));
        }
        Why::Written => plan.note(format!(
            "generation {} again, written in event {}, its queue kept; the primary's work since then is not in it",
            generation.number,
            generation.opened_event.as_deref().unwrap_or_default()
        )),
    }
    if generation.gate == Gate::DiedOpen {
        plan.note(format!(
            "the standby died while it was open; {} numbers of each block are skipped, because some may be on paper",
            standby::numbers::AFTER_A_CRASH
        ));
    }
    plan.note(prepared.fencing.note());
    if !prepared.resumes {
        plan.step(format!("write event {} into the store", event.id));
    }
    if let Some(step) = prepared.fencing.step() {
        plan.step(step);
    }
    steps_of_opening(&mut plan, prepared, generation);
    last_steps(site, &mut plan, Mode::Standby);
    plan
}

fn steps_of_opening(plan: &mut Plan, prepared: &Prepared, generation: &Generation) {
    let name = prepared.standby.database();
    if generation.database != name {
        if let Some(old) = current(prepared).filter(|g| g.gate != Gate::Closed) {
            plan.step(format!("close generation {}, which was left open", old.number));
        }
        plan.step(format!("give '{}' the name '{name}', ending the sessions in both databases", generation.database));
    }
    plan.step("let the emergency numbers go on after the highest one seen");
    plan.step("open the gate; new connections of the windows land on the standby");
}

/// What every move ends with: PgBouncers and the hooks of the profile.
pub(super) fn last_steps(site: &Site, plan: &mut Plan, to: Mode) {
    endpoint::step(site, plan, to);
    if !site.profile.endpoint.hooks.is_empty() {
        plan.step(format!("run {} hooks", site.profile.endpoint.hooks.len()));
    }
}

fn carry_out(site: &Site, before: &State, prepared: Prepared, choice: &Choice, started: Instant) -> Result<Outcome> {
    let Prepared { standby, all, event, fencing, .. } = prepared;
    let old = all.iter().find(|g| g.database == standby.database());
    if choice.generation.database != standby.database() {
        export_rest(site, old);
    }
    moves::begin(site, &event, Mode::Standby)?;
    if let Err(error) = moves::fence(site, &event, fencing) {
        return Err(undo_refused(site, before, Mode::Standby, error));
    }
    moves::reached(site, "the primary is fenced")?;
    open_chosen(site, &standby, &event, choice, old, started)
}

/// From the fence on: name, numbers, gate, state, PgBouncers, hooks.
fn open_chosen(
    site: &Site,
    standby: &Server,
    event: &Event,
    choice: &Choice,
    old: Option<&Generation>,
    started: Instant,
) -> Result<Outcome> {
    let generation = &choice.generation;
    if generation.database != standby.database() {
        if old.is_some_and(|g| g.gate != Gate::Closed) {
            open::close(site, standby)?;
        }
        open::take_name(standby, generation, old)?;
    }
    let opened = open::open_gate(site, standby, generation.number, &event.id, event.epoch)?;
    opened_text_and_state(site, event, choice, &opened, started)
}

fn opened_text_and_state(
    site: &Site,
    event: &Event,
    choice: &Choice,
    opened: &Opened,
    started: Instant,
) -> Result<Outcome> {
    let now = Utc::now();
    let until = event.data_until.map(|t| clock::data_until(&site.profile.site, t, now)).unwrap_or_default();
    let detail = json!({
        "generation": choice.generation.number, "snapshot": event.snapshot, "data_until": event.data_until, "confirmed": opened.confirmed,
    });
    let event_now = event.clone();
    let warnings = moves::finish(site, Mode::Standby, detail, |s| s.event = Some(event_now))?;
    let state = site.store.state()?;
    let text = format!("the standby is open, event {}: the windows work there now; {until}", event.id);
    let more = json!({
        "generation": choice.generation.number, "snapshot": event.snapshot, "data_until": event.data_until, "confirmed": opened.confirmed,
    });
    Ok(moves::outcome(&state, started, text, &warnings, more))
}

/// Exports what the outgoing generation still holds, because later it has another name. Best effort: it is kept anyway.
fn export_rest(site: &Site, old: Option<&Generation>) {
    let written = old.is_some_and(|g| g.opened_event.is_some());
    if written && let Err(e) = precedence::undisturbed(site, Kind::Export, || export::run(site, false)) {
        site.talk.warn(format!("the outgoing generation may hold units in no batch yet, and is kept: {e}"));
    }
}

/// What becomes of a move whose fence ended in `error`: a refusal has touched nothing but the store, which goes back to what
/// it said, and only the epoch stays used. Anything else may have come after the fence was put on; the move stays begun,
/// and the same command goes on with it.
pub(super) fn undo_refused(site: &Site, before: &State, to: Mode, error: Error) -> Error {
    if error.exit() != Exit::Refused {
        return error;
    }
    undo(site, before, to).err().unwrap_or(error)
}

/// Puts the store back to what it said before a move that was refused.
fn undo(site: &Site, before: &State, to: Mode) -> Result<()> {
    let (event, moving, fence) = (before.event.clone(), before.moving.clone(), before.fence);
    State::update(&site.store, |s| {
        s.event = event;
        s.moving = moving;
        s.fence = fence;
    })?;
    site.store.journal().write(&site.by, &moves::act(to), None, "refused", json!(null))
}

/// `--planned`: fence, last snapshot, load, open. No gap. If the snapshot or the load fails, the fence is lifted again.
fn planned(
    site: &Site,
    opening: &Opening,
    before: &State,
    mut prepared: Prepared,
    _precedence: Option<Precedence>,
    started: Instant,
) -> Result<Outcome> {
    let mut plan = Plan::new(format!("open the standby as planned, event {}", prepared.event.id));
    plan.note("no gap: the last snapshot is taken after the windows have left the primary");
    plan.note(prepared.fencing.note());
    plan.step(format!("write event {} into the store", prepared.event.id));
    if let Some(step) = prepared.fencing.step() {
        plan.step(step);
    }
    for step in [
        "take a full snapshot of the primary",
        "load it into a generation of its own; if anything fails up to here, lift the fence again",
        "give that generation the standby's name",
        "let the emergency numbers go on after the highest one seen",
        "open the gate; new connections of the windows land on the standby",
    ] {
        plan.step(step);
    }
    last_steps(site, &mut plan, Mode::Standby);
    if opening.dry_run {
        return Ok(plan.dry_run(before, Mode::Standby));
    }
    plan.say(&site.talk);
    export_rest(site, current(&prepared));
    moves::begin(site, &prepared.event, Mode::Standby)?;
    let fencing = std::mem::replace(&mut prepared.fencing, Fencing::On);
    let generation = match moves::fence(site, &prepared.event, fencing).and_then(|_| last_generation(site, &prepared)) {
        Ok(generation) => generation,
        Err(error) => {
            take_back(site, before)?;
            return Err(error);
        }
    };
    of_generation(&mut prepared.event, &generation);
    // From here on the opening is like any other: a killed run resumes it.
    let event = prepared.event.clone();
    State::update(&site.store, |s| s.event = Some(event))?;
    let old = Generation::current(&prepared.standby)?;
    let choice = Choice { generation, why: Why::Fresh };
    open_chosen(site, &prepared.standby, &prepared.event, &choice, old.as_ref(), started)
}

/// Snapshot and load under the fence; the generation that came of it.
fn last_generation(site: &Site, prepared: &Prepared) -> Result<Generation> {
    let taken = precedence::undisturbed(site, Kind::Snapshot, || snapshot::take(site, true))?;
    let id = &taken.manifest.snapshot;
    let loaded = precedence::undisturbed(site, Kind::Load, || load::run(site, Some(id)))?;
    let all = Generation::all(&prepared.standby)?;
    let generation = all.into_iter().find(|g| g.number == loaded.generation).ok_or_else(|| {
        Error::failed("open the generation just loaded", format!("generation {} is not there", loaded.generation))
    })?;
    let databases = [prepared.standby.database().to_owned(), generation.database.clone()];
    open::refuse_prepared(&mut prepared.standby.connect_to("postgres")?, &databases)?;
    Ok(generation)
}

/// A planned opening that failed before the windows went anywhere: they go on where they were.
fn take_back(site: &Site, before: &State) -> Result<()> {
    // Of a run that was killed before this one, the fence is this move's as well.
    let goes_on = before.moving.as_ref().is_some_and(|m| m.to == Mode::Standby);
    if before.fence == FenceState::Off || goes_on {
        moves::note_fence(site, FenceState::Off)?;
        let lifted = site
            .profile
            .primary()
            .and_then(|p| p.named(ours::PROGRAM).connect())
            .and_then(|mut client| fence::lift(&mut client, &site.profile));
        match lifted {
            Ok(_) => site.talk.say("the fence is lifted again; the windows go on on the primary"),
            Err(e) => site.talk.warn(format!("the fence could not be lifted again: {e}; run his-switch unfence")),
        }
    }
    if !goes_on {
        return undo(site, before, Mode::Standby);
    }
    State::update(&site.store, |s| {
        s.moving = None;
        if let Some(event) = &mut s.event {
            event.ended_at = Some(Utc::now());
        }
    })?;
    site.store.journal().write(&site.by, &moves::act(Mode::Standby), None, "taken back", json!(null))
}

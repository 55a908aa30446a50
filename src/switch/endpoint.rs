//! Windows that come through a PgBouncer: led to the side where they belong at the end of every move, when the gate is
//! open or the fence is lifted, and again by `his-switch endpoint`.
//!
//! They are led where the windows' own connection string would lead: to the standby while it is open, else to the
//! primary, on paper too (where the fence keeps them out, and lets them in when the emergency ends, whatever state their
//! PgBouncer is in then). Like a hook, one that cannot be led is a warning and undoes nothing.

use super::plan::Plan;
use super::{lost, moves, open, precedence};
use crate::bouncer::{self, Bouncer, Pointed, Seen};
use crate::cli::{Outcome, Site};
use crate::db::{self, Side};
use crate::error::{Error, Exit, Result};
use crate::store::{FenceState, Mode, State};
use serde_json::json;
use std::time::{Duration, Instant};

/// Whoever asks how everything stands does not wait longer for a PgBouncer.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// Name of our sessions on the consoles when we only look.
const ASKING: &str = "his-switch status";

/// Where windows belong in `mode`.
#[must_use]
pub fn belongs(mode: Mode) -> Side {
    if mode == Mode::Standby { Side::Standby } else { Side::Primary }
}

/// The step of a plan.
pub fn step(site: &Site, plan: &mut Plan, to: Mode) {
    for written in &site.profile.bouncers {
        plan.step(format!("lead PgBouncer '{}' to the {}", written.file.display(), belongs(to)));
    }
}

/// What becomes of clients that are still linked to the side which the windows leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Both sides really work, or did: who is on the primary stays there until it ends.
    Stay,
    /// That side answers and has ended them, or does so now; whoever is left then is cut off.
    End,
    /// That side does not answer: they hang there, and are cut off.
    Hang,
}

fn left(state: &State, side: Side) -> Left {
    let event = state.event.as_ref();
    match side {
        Side::Primary if event.is_some_and(|e| e.lost_after_batch.is_some()) => Left::Hang,
        _ if event.is_some_and(|e| e.both_live) => Left::Stay,
        Side::Standby if state.fence == FenceState::Pending => Left::Hang,
        _ => Left::End,
    }
}

/// Leads every PgBouncer to where windows belong in the mode of `state`; gives those that were not for certain, each
/// already said and journalled.
pub fn lead(site: &Site, state: &State) -> Result<Vec<String>> {
    let bouncers = match Bouncer::all(&site.profile) {
        Ok(bouncers) => bouncers,
        Err(e) => {
            let text = e.to_string();
            site.talk.warn(&text);
            return Ok(vec![text]);
        }
    };
    let to = belongs(state.mode);
    let left = left(state, to);
    let started = Instant::now();
    let mut pointed = each(&bouncers, |b| bouncer::point(b, to, left == Left::Hang));
    let some_left = pointed.iter().any(|p| p.left > 0);
    if some_left && to == Side::Primary && left != Left::Hang {
        end_those_on_the_standby(site);
    }
    if some_left && left != Left::Stay {
        let cut = each(&bouncers, bouncer::cut_left);
        for (pointed, cut) in pointed.iter_mut().zip(cut).filter(|(p, _)| p.left > 0) {
            match cut {
                Ok(cut) => (pointed.cut, pointed.left) = (pointed.cut || cut, 0),
                Err(problem) => pointed.problem = pointed.problem.take().or(Some(problem)),
            }
        }
    }
    let event = state.event.as_ref().map(|e| e.id.as_str());
    let mut failed = Vec::new();
    for (bouncer, pointed) in bouncers.iter().zip(&pointed) {
        let result = pointed.problem.as_deref().unwrap_or("done");
        let detail = json!({
            "file": bouncer.file, "to": to.to_string(), "overwritten": pointed.overwritten, "cut": pointed.cut,
            "resumed": pointed.resumed, "left": pointed.left, "seconds": started.elapsed().as_secs_f64(),
        });
        site.store.journal().write(&site.by, "lead pgbouncer", event, result, detail)?;
        failed.extend(say(site, bouncer, pointed, to));
    }
    Ok(failed)
}

/// Says how it went; gives the warning, if it is one.
fn say(site: &Site, bouncer: &Bouncer, pointed: &Pointed, to: Side) -> Option<String> {
    let name = bouncer.shown();
    if pointed.overwritten {
        site.talk.say(format!("the file of {name} was not as the profile has it; it was written anew"));
    }
    if pointed.resumed {
        site.talk.say(format!("{name} was paused; it goes on"));
    }
    if pointed.cut {
        site.talk.say(format!("all clients of {name} were cut off, because some hung on the other side"));
    }
    if let Some(problem) = &pointed.problem {
        let text = format!("{name}: {problem}. When that is mended: his-switch endpoint");
        site.talk.warn(&text);
        return Some(text);
    }
    let left = match pointed.left {
        0 => String::new(),
        n => format!("; {n} sessions from before go on where they are"),
    };
    site.talk.say(format!("{name} leads to the {to}{left}"));
    None
}

/// Does the same for all at once.
fn each<T: Send>(bouncers: &[Bouncer], work: impl Fn(&Bouncer) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = bouncers.iter().map(|b| scope.spawn(move || work(b))).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    })
}

/// Sessions that came to the standby when it was closed and PgBouncer still led there. Best effort: whoever is left is
/// cut off.
fn end_those_on_the_standby(site: &Site) {
    let Ok(server) = site.profile.standby().map(|s| s.named(super::ours::PROGRAM)) else { return };
    let Ok(roles) = super::ours::roles(&site.profile) else { return };
    let ended = db::within(lost::LIMIT, move || open::end_windows(&mut server.connect()?, &roles));
    if let Some(Err(e)) = ended {
        log::info!("{e}");
    }
}

/// Where every PgBouncer leads; none when the profile names none.
pub fn look(site: &Site) -> Vec<Seen> {
    let Ok(bouncers) = Bouncer::all(&site.profile) else { return Vec::new() };
    each(&bouncers, |b| bouncer::look(b, ASKING, LOOK_LIMIT, false))
}

/// Has those read their file that were frozen or unwilling when they were told to, at the first contact. Their file is
/// right, so nothing is decided here, and no lock is needed.
pub fn at_first_contact(site: &Site) {
    if site.profile.bouncers.is_empty() {
        return;
    }
    let (Ok(state), Ok(bouncers)) = (site.store.state(), Bouncer::all(&site.profile)) else { return };
    if state.moving.is_some() {
        return;
    }
    let to = belongs(state.mode);
    let lagging = |b: &Bouncer| bouncer::look(b, ASKING, LOOK_LIMIT, false).lags_behind_its_file(to);
    let told = each(&bouncers, |b| lagging(b).then(|| bouncer::reload(b)));
    for (bouncer, told) in bouncers.iter().zip(told) {
        match told {
            None => {}
            Some(Ok(())) => site.talk.say(format!("{} answers again and was told to read its file", bouncer.shown())),
            Some(Err(problem)) => site.talk.warn(format!("{}: {problem}", bouncer.shown())),
        }
    }
}

/// `his-switch endpoint`: leads every PgBouncer where windows belong now.
pub fn again(site: &Site, dry_run: bool) -> Result<Outcome> {
    let started = Instant::now();
    let doing = "lead the windows";
    if site.profile.bouncers.is_empty() {
        return Err(Error::refused(doing, "the profile names no PgBouncer").hint(
            "windows with a connection string find the open side by themselves; [[pgbouncer]] in his.toml(5) is for those that cannot.",
        ));
    }
    Bouncer::all(&site.profile)?;
    let _lock = if dry_run { None } else { Some(precedence::lock(site)?) };
    let state = site.store.state()?;
    if let Some(moving) = &state.moving {
        let command = moves::name(moving.to);
        return Err(Error::refused(doing, format!("the move '{command}' was begun and has not ended"))
            .hint(format!("run his-switch {command} again: it goes on, and leads them too.")));
    }
    let to = belongs(state.mode);
    let mut plan = Plan::new(format!("lead the windows to the {to} (mode {})", state.mode));
    step(site, &mut plan, state.mode);
    if dry_run {
        return Ok(plan.dry_run(&state, state.mode));
    }
    plan.say(&site.talk);
    let warnings = lead(site, &state)?;
    let text = format!("the windows are led to the {to}");
    let mut outcome = moves::outcome(&state, started, text, &warnings, json!({ "side": to.to_string() }));
    if !warnings.is_empty() {
        outcome.text = warnings.iter().map(|w| format!("NOTE: {w}")).collect::<Vec<_>>().join("\n");
        outcome.exit = Exit::NeedsPerson;
    }
    Ok(outcome)
}

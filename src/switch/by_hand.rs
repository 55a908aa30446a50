//! `his-switch fence` and `unfence`: the fence by hand.

use super::fence::{self, Wanted};
use super::moves;
use super::plan::Plan;
use super::primary_side::Answer;
use super::{guard, lift, ours, precedence};
use crate::cli::{Outcome, Site};
use crate::error::{Error, Exit, Result};
use crate::store::{FenceState, Mode};
use serde_json::json;

/// Puts the fence on now, or fails.
pub fn fence(site: &Site, dry_run: bool) -> Result<Outcome> {
    // Nothing else is in the way of the fence, so nothing is ended for it.
    let _lock = if dry_run { None } else { Some(precedence::lock(site)?) };
    let state = site.store.state()?;
    let event = moves::running_event(&state).map(|e| e.id.clone());
    let wanted = Wanted::of(&site.profile, event.as_deref(), &site.by)?.ok_or_else(|| {
        Error::refused("fence the primary", "the profile says fence = \"none\"")
            .hint("take it out of the profile first.")
    })?;
    let (look, put) = match moves::ask_primary(site, Some(&wanted), dry_run)? {
        Answer::Answers { look, fence: Some(put) } => (look, put?),
        Answer::Closed(error) => return Err(error),
        Answer::Answers { .. } => {
            return Err(Error::refused("fence the primary", "it is a replica in recovery")
                .hint("no window can write there; point [primary] url at the server that takes writes."));
        }
        absent => return Err(absent_primary("fence the primary", &absent)),
    };
    let mut plan = Plan::new("fence the primary");
    plan.step(put.text());
    if dry_run {
        let text = format!("{}\nnothing was changed (dry run)", plan.text());
        return Ok(Outcome::new(json!({ "fence": state.fence, "dry_run": true, "would": put }), text));
    }
    plan.say(&site.talk);
    let server = site.profile.primary()?.named(ours::PROGRAM);
    let put = fence::put_on(&mut server.connect()?, &wanted, || true)?.unwrap_or(put);
    moves::note_fence(site, FenceState::On)?;
    site.store.journal().write(&site.by, "fence", event.as_deref(), "done", json!(put))?;
    let again = if look.fenced { " (it was on already)" } else { "" };
    let json = json!({ "fence": FenceState::On, "kind": put.kind, "roles": put.roles, "revoked": put.revoked, "ended": put.sessions });
    Ok(Outcome::new(json, format!("the primary is fenced{again}: {}", put.text())))
}

/// Lifts the fence; while windows work on the standby only for an event that is both-live, or told so.
pub fn unfence(site: &Site, both_live: bool, dry_run: bool) -> Result<Outcome> {
    let _lock = if dry_run { None } else { Some(precedence::lock(site)?) };
    let state = site.store.state()?;
    let event = moves::running_event(&state);
    let away = state.mode == Mode::Standby || event.is_some_and(|e| e.generation.is_some());
    if away && !both_live && !event.is_some_and(|e| e.both_live) {
        return Err(Error::refused(
            "lift the fence of the primary",
            format!("the windows are in mode '{}', and some would land on the primary", state.mode),
        )
        .hint("his-switch primary brings them all back; unfence --both-live lets both sides work, if that is really meant."));
    }
    let look = match moves::ask_primary(site, None, dry_run)? {
        Answer::Answers { look, .. } => look,
        Answer::Closed(error) => return Err(error.with_exit(Exit::Unreachable)),
        absent => return Err(absent_primary("lift the fence of the primary", &absent)),
    };
    let mut plan = Plan::new("lift the fence of the primary");
    plan.step(if look.fenced { "put back exactly what the fence took" } else { "nothing: it is not fenced" });
    if dry_run {
        let text = format!("{}\nnothing was changed (dry run)", plan.text());
        return Ok(Outcome::new(json!({ "fence": state.fence, "dry_run": true, "was_on": look.fenced }), text));
    }
    plan.say(&site.talk);
    let event = event.map(|e| e.id.clone());
    let lifted = lift::lift(site)?;
    site.store.journal().write(&site.by, "unfence", event.as_deref(), "done", json!(lifted))?;
    let text = if lifted.was_on { "the fence is lifted" } else { "the primary was not fenced; nothing to do" };
    let text = match lifted.gone.as_slice() {
        [] => text.to_owned(),
        gone => format!("{text}; not there any more: {}", gone.join(", ")),
    };
    let json = json!({ "fence": FenceState::Off, "was_on": lifted.was_on, "roles": lifted.roles, "granted": lifted.granted, "gone": lifted.gone });
    Ok(Outcome::new(json, text))
}

/// `fence --when-it-answers`: what a move leaves behind while a fence is waiting.
pub fn when_it_answers(site: &Site) -> Result<Outcome> {
    let put = guard::run(site)?;
    let text = put
        .as_ref()
        .map_or_else(|| "no fence is waiting".to_owned(), |p| format!("the primary is fenced: {}", p.text()));
    let state = site.store.state()?;
    Ok(Outcome::new(json!({ "fence": state.fence, "put": put }), text))
}

fn absent_primary(doing: &str, answer: &Answer) -> Error {
    Error::unreachable(doing, answer.absence().unwrap_or_default())
}

//! `his-switch primary`: what the windows did comes back to the primary, and then the windows do (P15).

use super::lift;
use super::lost::{self, Standby};
use super::moves;
use super::open;
use super::plan::Plan;
use super::primary_side::{self, Answer};
use super::{ours, precedence, to_standby};
use crate::cli::{Outcome, Site};
use crate::db::{self, Server};
use crate::error::{Error, Exit, Result};
use crate::export;
use crate::merge::{self, Account};
use crate::queue;
use crate::standby::{Gate, Generation};
use crate::store::{Event, Kind, Mode, State};
use chrono::Utc;
use serde_json::json;
use std::time::{Duration, Instant};

/// A tail of so many units is merged while the windows wait; a longer one is merged before, while they still work.
const SMALL_TAIL_UNITS: u64 = 50;
/// Windows that work faster than the merge would otherwise keep us here for ever.
const ROUNDS: usize = 5;
/// A primary that has not said in this time what it remembers does not answer.
const ASK_LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Default)]
pub struct Returning {
    /// The windows come back at once, the units later.
    pub merge_later: bool,
    /// Why the standby is given up, with `--standby-lost`.
    pub given_up: Option<String>,
    pub dry_run: bool,
}

/// Brings the windows back to the primary, or goes on with a return that was killed.
pub fn run(site: &Site, returning: &Returning) -> Result<Outcome> {
    let started = Instant::now();
    let _precedence = if returning.dry_run { None } else { Some(precedence::take(site, &[])?) };
    let state = site.store.state()?;
    let Some(event) = moves::running_event(&state).cloned() else {
        if state.moving.as_ref().is_some_and(|m| m.to == Mode::Normal) {
            // Killed after the windows were back, before the hooks had run.
            return back_already(site, started);
        }
        return Err(Error::refused("bring the windows back to the primary", "they are there already (mode normal)")
            .hint("his-switch status says how everything stands; his-merge merges what is left over."));
    };
    let look = require_primary(site, &state, &event, returning)?;
    let standby = lost::standby(site, &event, returning.given_up.as_deref())?;
    let plan = plan(site, &event, &standby, returning, &look);
    if returning.dry_run {
        return Ok(plan.dry_run(&state, Mode::Normal));
    }
    plan.say(&site.talk);
    if !matches!(standby, Standby::Unused) {
        // Until everything is merged no window works there, also on a primary that has just come back.
        moves::at_first_contact(site);
    }
    Return { site, event, returning, started, warnings: Vec::new() }.carry_out(&state, standby)
}

/// The primary must answer (6), and must know what it knew (4).
fn require_primary(site: &Site, state: &State, event: &Event, returning: &Returning) -> Result<primary_side::Look> {
    let look = match moves::ask_primary(site, None, returning.dry_run)? {
        Answer::Answers { look, .. } => look,
        Answer::Closed(error) => return Err(error.with_exit(Exit::Unreachable)),
        absent => {
            let reason = absent.absence().unwrap_or_default();
            return Err(Error::unreachable("bring the windows back to the primary", reason)
                .hint("the windows stay where they are; start the primary, then run the same command again."));
        }
    };
    primary_side::require_writable(&look)?;
    let known = merge::Known::of(site, state, event.snapshot.clone());
    let server = site.profile.primary()?.named(ours::PROGRAM);
    let doing = "bring the windows back to the primary";
    let remembers = db::within(ASK_LIMIT, move || known.require(&mut server.connect()?, doing));
    remembers
        .unwrap_or_else(|| Err(Error::unreachable(doing, format!("no answer within {} s", ASK_LIMIT.as_secs()))))?;
    Ok(look)
}

fn plan(site: &Site, event: &Event, standby: &Standby, returning: &Returning, look: &primary_side::Look) -> Plan {
    let mut plan = Plan::new(format!("bring the windows back to the primary, event {}", event.id));
    plan.note(format!("the primary answers{}", if look.read_only { ", but is read-only by default" } else { "" }));
    match standby {
        Standby::Unused => {}
        Standby::There(_) => {
            if !returning.merge_later {
                plan.step("merge every batch while the windows still work on the standby");
            }
            plan.step("let new connections of the windows step over the standby");
            plan.step(format!(
                "close the gate: running transactions get {} s, then they are ended",
                site.profile.limits.drain.as_secs_f32()
            ));
            plan.step("export the tail and the closing record");
        }
        Standby::Lost { text, .. } => plan.note(format!("the standby is given up: {text}")),
    }
    let merge = "merge what is left, and check that captured = merged + held + rejected";
    if returning.merge_later {
        plan.step("lift the fence: the windows are back");
        plan.note("what is not merged yet stays to be merged with his-merge (--merge-later)");
    } else {
        if !matches!(standby, Standby::Unused) {
            plan.step(merge);
        }
        plan.step("lift the fence: the windows are back");
    }
    to_standby::last_steps(site, &mut plan, Mode::Normal);
    plan
}

struct Return<'a> {
    site: &'a Site,
    event: Event,
    returning: &'a Returning,
    started: Instant,
    warnings: Vec<String>,
}

impl Return<'_> {
    fn carry_out(mut self, state: &State, standby: Standby) -> Result<Outcome> {
        let site = self.site;
        if let Standby::Lost { after, .. } = &standby {
            self.event.lost_after_batch = Some(*after);
        }
        moves::begin(site, &self.event, Mode::Normal)?;
        let account = match standby {
            Standby::Unused => None,
            Standby::There(server) => {
                if state.mode == Mode::Standby && !self.returning.merge_later && is_open(&server)? {
                    self.merge_while_they_work()?;
                }
                self.close(&server).map_err(where_it_stands)?;
                self.merge_rest().map_err(where_it_stands)?
            }
            Standby::Lost { text, why, .. } => {
                let detail = json!({ "after_batch": self.event.lost_after_batch, "why": why });
                site.store.journal().write(&site.by, "give up the standby", Some(&self.event.id), "done", detail)?;
                self.warnings.push(text);
                self.merge_rest()?
            }
        };
        self.judge(account.as_ref());
        lift(site).map_err(where_it_stands)?;
        self.done(account)
    }

    /// Merges batch after batch while the windows work, until what is left is quick.
    fn merge_while_they_work(&self) -> Result<()> {
        let site = self.site;
        // Also batches that are merged: a damaged one is to be known before the windows are shut out, not after.
        if let Some(event) = site.store.state()?.event
            && let (_, Some(damage)) = queue::chain(&site.store, &event.id)?
        {
            return Err(damage);
        }
        for round in 1..=ROUNDS {
            let exported = precedence::undisturbed(site, Kind::Export, || export::run(site, false))?;
            let units: u64 = exported.batches.iter().map(|b| b.units).sum();
            let merged = precedence::undisturbed(site, Kind::Merge, || merge::run(site, &[], true))?;
            site.talk.say(format!(
                "round {round}: {units} units exported, {} merged, {} held; the windows still work on the standby",
                merged.new.merged, merged.new.held
            ));
            if units <= SMALL_TAIL_UNITS {
                break;
            }
        }
        Ok(())
    }

    /// From here the windows wait.
    fn close(&self, server: &Server) -> Result<()> {
        let site = self.site;
        let closed = open::close(site, server)?;
        lost::journal_closed(site, &self.event, &closed)?;
        moves::reached(site, "the standby is closed")?;
        site.talk.say(format!("the standby is closed; {} sessions of windows were ended", closed.sessions));
        let exported = precedence::undisturbed(site, Kind::Export, || export::run(site, true))?;
        let units: u64 = exported.batches.iter().map(|b| b.units).sum();
        moves::reached(site, "the tail is exported")?;
        site.talk.say(format!("the tail of {units} units and the closing record are exported"));
        Ok(())
    }

    fn merge_rest(&self) -> Result<Option<Account>> {
        if self.returning.merge_later {
            return Ok(merge::status(self.site)?.map(|s| s.account));
        }
        let merged = precedence::undisturbed(self.site, Kind::Merge, || merge::run(self.site, &[], true))?;
        Ok(Some(merged.account))
    }

    /// What a person must still do.
    fn judge(&mut self, account: Option<&Account>) {
        let Some(account) = account else { return };
        let units = account.units;
        if units.held > 0 {
            self.warnings.push(format!("{} units are held for a person: his-merge conflicts", units.held));
        }
        if self.returning.merge_later {
            let left = units.captured.saturating_sub(units.merged + units.held + units.rejected);
            if left > 0 || !account.balanced {
                self.warnings.push(format!("{left} units are not merged yet, as asked for (--merge-later): his-merge"));
            }
        } else if !account.balanced {
            self.warnings.push("captured is not merged + held + rejected: his-merge status shows where".to_owned());
        }
    }

    fn done(mut self, account: Option<Account>) -> Result<Outcome> {
        let site = self.site;
        let (ended, lost) = (Utc::now(), self.event.lost_after_batch);
        let units = account.as_ref().map(|a| a.units);
        let detail =
            json!({ "units": units, "balanced": account.as_ref().map(|a| a.balanced), "lost_after_batch": lost });
        let failed = moves::finish(site, Mode::Normal, detail, |s| {
            if let Some(event) = &mut s.event {
                event.ended_at = Some(ended);
                event.lost_after_batch = lost;
            }
        })?;
        self.warnings.extend(failed);
        let state = site.store.state()?;
        let mut text = format!("the windows are back on the primary; event {} has ended", self.event.id);
        if let Some(units) = units {
            text = format!(
                "{text}\ncaptured {} = merged {} + held {} + rejected {}",
                units.captured, units.merged, units.held, units.rejected
            );
        }
        let more = json!({ "units": units, "balanced": account.map(|a| a.balanced), "lost_after_batch": lost });
        Ok(moves::outcome(&state, self.started, text, &self.warnings, more))
    }
}

fn is_open(server: &Server) -> Result<bool> {
    let mut client = server.connect()?;
    Ok(Generation::read(&mut client, server.database())?.is_some_and(|g| g.gate == Gate::Open))
}

/// Lifts the fence and says so.
fn lift(site: &Site) -> Result<()> {
    let lifted = lift::lift(site)?;
    if lifted.was_on {
        site.talk.say("the fence is lifted");
        site.store.journal().write(&site.by, "unfence", event_id(site)?.as_deref(), "done", json!(lifted))?;
    }
    Ok(())
}

fn event_id(site: &Site) -> Result<Option<String>> {
    Ok(site.store.state()?.event.map(|e| e.id))
}

/// Says of an error what it means for the windows now.
fn where_it_stands(error: Error) -> Error {
    let hint = format!(
        "{} The windows wait: the standby is closed or closing. The same command goes on from here; `his-switch standby` lets them work on the standby again.",
        error.hint_text()
    );
    error.hint(hint)
}

/// A return that was killed after the windows were back.
fn back_already(site: &Site, started: Instant) -> Result<Outcome> {
    let warnings = moves::finish(site, Mode::Normal, json!({ "resumed": true }), |_| {})?;
    let state = site.store.state()?;
    let account = merge::status(site)?.map(|s| s.account);
    let mut warnings = warnings;
    if let Some(account) = account.as_ref().filter(|a| !a.balanced || a.units.held > 0) {
        warnings.push(format!(
            "{} units are held or not merged yet: his-merge status",
            account.units.captured - account.units.merged - account.units.rejected
        ));
    }
    let text = "the windows are back on the primary".to_owned();
    let more = json!({ "units": account.as_ref().map(|a| a.units), "balanced": account.as_ref().map(|a| a.balanced) });
    Ok(moves::outcome(&state, started, text, &warnings, more))
}

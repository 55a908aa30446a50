//! `his-switch drill`: the same motions on a generation and numbers of its own. It never touches mode, fence or primary.
//!
//! It holds the lock of a load and not that of the switch, so a real emergency ends it like any other run (P16).

use super::hooks::{self, Moved};
use super::open::{self, Steer};
use super::ours;
use super::plan::Plan;
use crate::cli::{Outcome, Site};
use crate::db::{Client, Server, programs};
use crate::error::{Cannot, Error, Exit, Result};
use crate::standby::{self, Generation};
use crate::store::{Event, Kind, Mode, State};
use crate::{export, load};
use chrono::Utc;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

#[derive(Debug, Clone, Default)]
pub struct Exercise {
    /// SQL that psql runs while the drill's gate is open.
    pub workload: Option<PathBuf>,
    pub reason: Option<String>,
    pub dry_run: bool,
}

/// The database that a drill works in.
fn database_name(standby: &str) -> String {
    format!("{standby}_drill")
}

/// Whether a drill is under way (or was ended in the middle), by its database.
pub fn is_running(client: &mut Client, standby: &str) -> Result<bool> {
    let row = client
        .query_one(crate::sql!("switch/drill_there.sql"), &[&database_name(standby)])
        .cannot("look for a drill on the standby")?;
    Ok(row.get(0))
}

/// Loads, opens, works, closes, exports and drops; says what each step took.
pub fn run(site: &Site, exercise: &Exercise) -> Result<Outcome> {
    let state = site.store.state()?;
    if let Some(file) = exercise.workload.as_ref().filter(|f| !f.is_file()) {
        return Err(Error::usage("hold a drill", format!("there is no workload '{}'", file.display()))
            .hint("--workload FILE names SQL that psql can run."));
    }
    if state.mode != Mode::Normal || state.moving.is_some() {
        return Err(Error::refused("hold a drill", format!("this is no time for it (mode '{}')", state.mode))
            .hint("end the emergency first: his-switch primary."));
    }
    let server = site.profile.standby()?.named(ours::PROGRAM);
    let plan = plan(&server, exercise, state.drills + 1, site);
    if exercise.dry_run {
        return Ok(plan.dry_run(&state, Mode::Normal));
    }
    let _lock = site.store.lock(Kind::Load, &site.by)?;
    plan.say(&site.talk);
    let state = State::update(&site.store, |s| s.drills += 1)?;
    let event = event(site, exercise, state.drills);
    let database = database_name(server.database());
    let mut drill = Drill { site, server, database, event, steps: Vec::new() };
    drill.journal("begun", json!({ "reason": drill.event.reason }))?;
    let outcome = drill.motions(exercise);
    // Whatever came of it, nothing is left on the standby.
    let dropped = drill.step("drop", |d| load::drop_drill(d.site, &d.database));
    let result = outcome.as_ref().map_or_else(ToString::to_string, |_| "done".to_owned());
    drill.journal(&result, json!({ "steps": drill.steps }))?;
    let made = outcome?;
    dropped?;
    let moved = Moved { to: "drill", mode: state.mode, event: &drill.event };
    let warnings = hooks::run(site, moved)?;
    Ok(drill.outcome(&state, made.as_ref(), &warnings))
}

fn plan(server: &Server, exercise: &Exercise, number: u64, site: &Site) -> Plan {
    let database = database_name(server.database());
    let mut plan = Plan::new(format!("drill {}", id(site, number)));
    plan.note("windows, primary, fence and mode stay as they are");
    plan.step(format!("load the newest snapshot into '{database}'"));
    plan.step("open its gate");
    if let Some(file) = &exercise.workload {
        plan.step(format!("run '{}' in it with psql", file.display()));
    }
    plan.step("close it");
    plan.step("export what was captured as a drill's batch, which can never be merged");
    plan.step(format!("drop '{database}'"));
    plan
}

fn id(site: &Site, number: u64) -> String {
    format!("{}-D{number}", site.profile.site.code)
}

fn event(site: &Site, exercise: &Exercise, number: u64) -> Event {
    Event {
        id: id(site, number),
        epoch: number,
        drill: true,
        opened_at: Utc::now(),
        reason: exercise.reason.clone().unwrap_or_else(|| "drill".to_owned()),
        ordered_by: None,
        by: site.by.clone(),
        level: None,
        both_live: false,
        generation: None,
        snapshot: None,
        data_until: None,
        lost_after_batch: None,
        ended_at: None,
    }
}

struct Drill<'a> {
    site: &'a Site,
    server: Server,
    database: String,
    event: Event,
    /// What was done, and the seconds that it took.
    steps: Vec<Value>,
}

impl Drill<'_> {
    fn step<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let started = Instant::now();
        let done = work(self);
        let seconds = (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        self.site.talk.say(format!("{name}: {seconds:.3} s"));
        self.steps.push(json!({ "step": name, "seconds": seconds }));
        done
    }

    fn motions(&mut self, exercise: &Exercise) -> Result<Option<export::Made>> {
        self.step("load", |d| {
            let (snapshot, _) = load::for_drill(d.site, &d.database, d.event.epoch)?;
            d.event.snapshot = Some(snapshot);
            Ok(())
        })?;
        let mut client = self.server.connect_to(&self.database)?;
        let generation = Generation::read(&mut client, &self.database)?
            .ok_or_else(|| Error::failed("hold a drill", "the database just loaded is none of ours"))?;
        self.event.data_until = generation.taken_at;
        self.step("open", |d| {
            standby::open(&mut client, d.event.epoch)?;
            open::steer(&mut client, &d.database, Steer::Here)
        })?;
        if let Some(file) = &exercise.workload {
            self.step("workload", |d| {
                let args = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", &file.to_string_lossy()];
                let doing = format!("run the workload '{}'", file.display());
                let ran =
                    programs::run("psql", &d.server.clone().named("his-drill-window"), &d.database, &args, &doing);
                ran.map(drop)
            })?;
        }
        self.step("close", |d| {
            open::steer(&mut client, &d.database, Steer::Away)?;
            standby::close(&d.server, &d.database, d.site.profile.limits.drain).map(drop)
        })?;
        self.step("export", |d| export::drill(d.site, &mut client, generation, &d.event.id, d.event.epoch))
    }

    fn journal(&self, result: &str, detail: Value) -> Result<()> {
        self.site.store.journal().write(&self.site.by, "drill", Some(&self.event.id), result, detail)
    }

    fn outcome(&self, state: &State, made: Option<&export::Made>, warnings: &[String]) -> Outcome {
        let seconds: f64 = self.steps.iter().filter_map(|s| s["seconds"].as_f64()).sum();
        let lines = self.steps.iter().map(|s| {
            format!("  {:<9} {:>8.3} s", s["step"].as_str().unwrap_or_default(), s["seconds"].as_f64().unwrap_or(0.0))
        });
        let units = made.map_or(0, |m| m.units);
        let title =
            format!("drill {}: {units} units captured and exported, nothing of it can be merged", self.event.id);
        let notes = warnings.iter().map(|w| format!("NOTE: {w}"));
        let text = std::iter::once(title).chain(lines).chain(notes).collect::<Vec<_>>().join("\n");
        let json = json!({
            "mode": state.mode, "event": self.event.id, "seconds": (seconds * 1000.0).round() / 1000.0, "drill": true,
            "snapshot": self.event.snapshot, "units": units, "rows": made.map_or(0, |m| m.rows), "path": made.map(|m| &m.path),
            "steps": self.steps, "warnings": warnings,
        });
        Outcome::new(json, text).exit(if warnings.is_empty() { Exit::Done } else { Exit::NeedsPerson })
    }
}

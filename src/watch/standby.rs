//! The standby: does it answer, is it closed as it should be, is there something fresh to open, is it guarded.

use super::primary::clock;
use super::probe::Answer;
use super::{Measure, PROGRAM, Sheet, State, Unit};
use crate::cli::Site;
use crate::clock;
use crate::error::Result;
use crate::load;
use crate::snapshot;
use crate::standby::{CLOSED_DATABASE, Gate, Generation};
use crate::store::Mode;
use chrono::{DateTime, Utc};

pub(super) const NAMES: &[&str] = &["gate", "data-age", "load", "guards", "standby-clock"];

/// The standby's line: without it the windows have nowhere to go but paper.
pub(super) fn reachable(sheet: &mut Sheet, answer: &Answer) {
    let (state, text) = match answer {
        Answer::Query(seconds) => (State::Ok, format!("answers in {:.0} ms", seconds * 1000.0)),
        Answer::Hung => (
            State::Critical,
            "HUNG: every new connection of a window waits its connect_timeout for it, today and now".to_owned(),
        ),
        Answer::Refuses(reason) => (State::Critical, format!("runs, and gives no session: {reason}")),
        Answer::Unsure(reason) => (State::Critical, format!("gives contradicting signs: {reason}")),
        Answer::Dead(reason) => (State::Critical, format!("cannot be reached ({reason})")),
    };
    let measures = answer.seconds().map(|s| Measure::new("standby_answer_seconds", Unit::Seconds, s));
    sheet.add("standby", state, text).needed().measures(measures).hint(match answer {
        Answer::Hung => "end or cut off that server now (systemctl kill, or its power), so that windows step over it at once; then mend it.",
        _ => "start its server; until it answers, the only way out of an emergency is paper.",
    });
}

pub(super) fn look(site: &Site, sheet: &mut Sheet) -> Result<()> {
    let server = site.profile.standby()?.named(PROGRAM);
    let state = site.store.state()?;
    let all = Generation::all(&server)?;
    let now = Utc::now();

    let open: Vec<&Generation> = all.iter().filter(|g| g.gate != Gate::Closed).collect();
    let died = open.iter().any(|g| g.gate == Gate::DiedOpen);
    let (gate, text) = match (open.as_slice(), state.mode) {
        ([], Mode::Standby) => (State::Critical, "closed, and the windows should be working on it".to_owned()),
        ([], _) => (State::Ok, "closed".to_owned()),
        _ if died => (State::Critical, "DIED OPEN: it is shut until somebody confirms it".to_owned()),
        ([_], Mode::Standby) => (State::Ok, "open, as it should be".to_owned()),
        (some, mode) => (State::Critical, format!("{} is open in mode '{mode}'", some[0].database)),
    };
    sheet
        .add("gate", gate, text)
        .needed()
        .hint("his-switch standby confirms or opens it, his-switch primary closes it; his-switch status says which.");

    data_age(site, sheet, &all, state.merge_run, state.mode, now);
    loaded(site, sheet, &all, now)?;

    let checked = load::check(site)?;
    let findings: Vec<(State, String)> =
        checked.findings.iter().filter(|f| !f.ok).map(|f| (State::Critical, f.text.clone())).collect();
    sheet
        .add_all("guards", &findings, "gate, capture and guards are in place, and the windows could log in")
        .needed()
        .hint("his-load-standby check says the same at length.");
    clock(site, sheet, "standby-clock", &mut server.connect_to("postgres")?)
}

/// How old the data is that the next opening would take.
fn data_age(site: &Site, sheet: &mut Sheet, all: &[Generation], merge_run: u64, mode: Mode, now: DateTime<Utc>) {
    let fresh = |g: &&Generation| g.opened_event.is_none() && g.ledger_run >= merge_run;
    let usable = |g: &&Generation| g.verified && !g.retired && g.number != CLOSED_DATABASE;
    let limit = site.profile.limits.max_age.as_secs_f64();
    if mode != Mode::Normal {
        sheet.add("data-age", State::Ok, format!("not asked in mode '{mode}'"));
        return;
    }
    let Some(at) = all.iter().filter(usable).filter(fresh).max_by_key(|g| g.number).and_then(|g| g.taken_at) else {
        sheet
            .add("data-age", State::Critical, "there is no generation that could be opened fresh")
            .needed()
            .hint("his-snapshot, then his-load-standby.");
        return;
    };
    let measure = Measure::age("standby_data_age_seconds", now - at).above(Some(limit), Some(limit * 12.0));
    sheet
        .add("data-age", measure.state(), clock::data_until(&site.profile.site, at, now))
        .needed()
        .hint("the timer of his-snapshot and his-load-standby does not run, or fails: run them by hand and read what they say.")
        .measures([measure]);
}

/// Whether the newest snapshot has become a generation.
fn loaded(site: &Site, sheet: &mut Sheet, all: &[Generation], now: DateTime<Utc>) -> Result<()> {
    let hint = "his-load-standby says why it does not load.";
    let Some(newest) = snapshot::ids(&site.store)?.pop() else {
        sheet.add("load", State::Critical, "the store has no snapshot").needed().hint("take one: his-snapshot.");
        return Ok(());
    };
    let loaded = all.iter().find(|g| g.snapshot.as_deref() == Some(&newest));
    match loaded {
        Some(g) if g.verified => {
            sheet.add("load", State::Ok, format!("snapshot {newest} is generation {}, verified", g.number));
        }
        Some(g) => {
            sheet.add("load", State::Critical, format!("generation {} is not verified", g.number)).needed().hint(hint);
        }
        None => {
            let age = snapshot::time_of(&newest).and_then(|at| (now - at).to_std().ok());
            // A load that has just begun is no news.
            let late = age.is_some_and(|age| age > site.profile.limits.max_age);
            let state = if late { State::Warning } else { State::Ok };
            sheet.add("load", state, format!("snapshot {newest} is not loaded")).hint(hint);
        }
    }
    Ok(())
}

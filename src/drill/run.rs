//! A drill from its beginning to its end: scripted in one go, or in steps at the pace of people.

use super::act::{Acted, act};
use super::place::{PREFIX, Place};
use super::proof::{self, Used};
use super::record::{Drill, Measured, Participant};
use super::scenario::Scenario;
use super::stage;
use super::windows::Windows;
use super::{judge, record};
use crate::cli::{Site, Talk};
use crate::clock;
use crate::error::{Cannot, Error, Exit, Result};
use crate::load;
use crate::merge;
use crate::snapshot;
use crate::standby::numbers;
use crate::store::{Kind, Lock, Mode, State};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is to be exercised.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub scenario: Scenario,
    pub goal: String,
    pub participants: Vec<Participant>,
}

/// The live site, and the drill beside it.
struct Exercise<'a> {
    live: &'a Site,
    place: Place,
    site: Site,
    drill: Drill,
    before: Used,
    began: Instant,
}

/// Holds a whole drill by script. What goes wrong in it is in its record, not an error: a drill is held to find it.
pub fn scripted(live: &Site, wanted: &Wanted) -> Result<Drill> {
    let _lock = ready(live)?;
    let mut exercise = Exercise::begin(live, wanted)?;
    if let Err(e) = exercise.script() {
        live.talk.warn(e.to_string());
        exercise.drill.broke_off = Some(e.to_string());
    }
    exercise.end()
}

/// Sets the stage and leaves it to people: servers, profile and a standby that is loaded and closed.
pub fn begin(live: &Site, wanted: &Wanted) -> Result<Drill> {
    let _lock = ready(live)?;
    let mut exercise = Exercise::begin(live, wanted)?;
    match exercise.set_up() {
        Ok(()) => {
            exercise.drill.by_hand = true;
            exercise.drill.write(live)?;
            Ok(exercise.drill)
        }
        Err(e) => {
            exercise.place.remove()?;
            Err(e)
        }
    }
}

/// Makes it go wrong, or mends it, in a drill at the pace of people.
pub fn strike(live: &Site, mend: bool) -> Result<Drill> {
    let drill = running(live)?;
    let place = Place::at(drill.place.as_deref().unwrap_or(Path::new("")))?;
    let done = if mend { drill.scenario.mend(&place) } else { drill.scenario.strike(&place, &live.profile) };
    done?;
    Ok(drill)
}

/// Ends a drill at the pace of people: measures by what the journal of the drill has, judges, clears away.
pub fn end(live: &Site) -> Result<Drill> {
    let _lock = live.store.lock(Kind::Drill, &live.by)?;
    let mut exercise = Exercise::again(live, running(live)?)?;
    if let Err(e) = exercise.by_its_journal() {
        exercise.drill.broke_off = Some(e.to_string());
    }
    exercise.end()
}

/// The drill that has not ended.
fn running(live: &Site) -> Result<Drill> {
    record::history(live)?.into_iter().rfind(|d| d.ended.is_none() && d.place.is_some()).ok_or_else(|| {
        Error::refused("go on with the drill", "none is on").hint("his-drill begin --scenario SCENARIO sets one up.")
    })
}

/// An emergency comes first, and there is one drill at a time. What a killed one left is cleared away.
fn ready(live: &Site) -> Result<Lock> {
    let state = live.store.state()?;
    if state.mode != Mode::Normal || state.moving.is_some() {
        return Err(Error::refused("hold a drill", format!("this is no time for it (mode '{}')", state.mode))
            .hint("end the emergency first: his-switch primary."));
    }
    let lock = live.store.lock(Kind::Drill, &live.by)?;
    for mut left in record::history(live)?.into_iter().filter(|d| d.ended.is_none()) {
        // People may be in the middle of theirs; after so long nobody is.
        if left.by_hand && Utc::now() - left.began < TimeDelta::hours(12) {
            let since = clock::time_of_day(&live.profile.site, left.began, Utc::now());
            return Err(Error::refused(
                "hold a drill",
                format!("drill {} is on since {since}, at the pace of people", left.drill),
            )
            .hint("his-drill end ends it."));
        }
        if let Some(dir) = left.place.take() {
            live.talk.say(format!("clearing away what drill {} left in '{}'", left.drill, dir.display()));
            Place::at(&dir)?.remove()?;
        }
        left.ended = Some(Utc::now());
        left.broke_off = Some("it was ended in the middle".to_owned());
        left.write(live)?;
    }
    Ok(lock)
}

impl<'a> Exercise<'a> {
    fn begin(live: &'a Site, wanted: &Wanted) -> Result<Exercise<'a>> {
        let state = State::update(&live.store, |s| s.drills += 1)?;
        let id = format!("{}-D{}", live.profile.site.code, state.drills);
        let dir = live.profile.drill.place.join(format!("{PREFIX}{}", std::process::id()));
        let drill = Drill {
            drill: id,
            scenario: wanted.scenario,
            goal: wanted.goal.clone(),
            by: live.by.clone(),
            began: Utc::now(),
            ended: None,
            place: Some(dir.clone()),
            by_hand: false,
            participants: wanted.participants.clone(),
            measured: Measured::default(),
            criteria: Vec::new(),
            score: None,
            findings: Vec::new(),
            broke_off: None,
        };
        // Known before anything is made, so that what a killed run leaves is found.
        drill.write(live)?;
        let detail = json!({ "drill": drill.drill, "scenario": drill.scenario, "goal": drill.goal });
        live.store.journal().write(&live.by, "exercise", None, "begun", detail)?;
        live.talk.say(format!("drill {}: two private servers in '{}'", drill.drill, dir.display()));
        let place = Place::at(&dir)?;
        place.make(&live.profile.site.timezone).inspect_err(|_| {
            let _ = place.remove();
        })?;
        Self::on(live, drill, place)
    }

    /// Takes a drill up again that another process began.
    fn again(live: &'a Site, drill: Drill) -> Result<Exercise<'a>> {
        let place = Place::at(drill.place.as_deref().unwrap_or(Path::new("")))?;
        Self::on(live, drill, place)
    }

    fn on(live: &'a Site, drill: Drill, place: Place) -> Result<Exercise<'a>> {
        let before = numbers::seen_by_the_store(live)?;
        let there = place.dir.join("his.toml");
        let (profile, store) = if there.exists() {
            let profile = crate::profile::Profile::read(&there)?;
            let store = crate::store::Store::open(&profile)?;
            (profile, store)
        } else {
            stage::set(&live.profile, &live.store, &place)?
        };
        let site = Site { profile, store, by: live.by.clone(), talk: Talk::silent() };
        Ok(Exercise { live, place, site, drill, before, began: Instant::now() })
    }

    fn config(&self) -> PathBuf {
        self.site.profile.path.clone()
    }

    fn act(&self, name: &str, args: &[&str], codes: &[i32]) -> Result<Acted> {
        self.live.talk.say(format!("{name} {}", args.join(" ")));
        act(&self.config(), &self.live.by, name, args, codes)
    }

    /// Restores the live snapshots, then makes a standby of the drill's own primary.
    fn set_up(&mut self) -> Result<()> {
        let ids = snapshot::ids(&self.live.store)?;
        let (Some(newest), Some(oldest)) = (ids.last().cloned(), ids.first().cloned()) else {
            return Err(Error::refused("hold a drill", "the store has no snapshot").hint("take one: his-snapshot."));
        };
        let age = snapshot::time_of(&newest).map(|at| (Utc::now() - at).num_seconds());
        self.drill.measured.live_data_age_seconds = age;
        let server = self.place.primary.server(&self.live.profile)?;
        let primary = server.database().to_owned();
        let began = Instant::now();
        let (_, rows) = self.restore(&newest, &primary)?;
        self.drill.measured.rows = rows;
        self.drill.measured.restore_newest_seconds = Some(began.elapsed().as_secs_f64());
        if oldest == newest {
            self.drill.measured.restore_oldest_seconds = self.drill.measured.restore_newest_seconds;
        } else {
            let began = Instant::now();
            self.restore(&oldest, "his_drill_oldest")?;
            self.drill.measured.restore_oldest_seconds = Some(began.elapsed().as_secs_f64());
            load::drop_database(&server, "his_drill_oldest")?;
        }
        let detail = json!({ "newest": newest, "oldest": oldest, "rows": rows, "drill": self.drill.drill });
        self.live.store.journal().write(&self.live.by, "restore test", None, "done", detail)?;
        self.act("his-load-standby", &["init"], &[0])?;
        self.drill.measured.snapshot_seconds = Some(self.act("his-snapshot", &[], &[0])?.seconds);
        self.drill.measured.load_seconds = Some(self.act("his-load-standby", &[], &[0])?.seconds);
        Ok(())
    }

    /// A live snapshot into the drill's primary server, as the primary was.
    fn restore(&self, snapshot: &str, database: &str) -> Result<(String, u64)> {
        self.live.talk.say(format!("restoring snapshot {snapshot} on a bare server"));
        let mut profile = self.site.profile.clone();
        profile.numbers.clear();
        // The live store's snapshots, the drill's own everything else.
        let site = Site { profile, store: self.live.store.clone(), by: self.live.by.clone(), talk: Talk::silent() };
        load::restore(&site, &self.place.primary.server(&self.live.profile)?, Some(snapshot), database)
    }

    fn script(&mut self) -> Result<()> {
        self.set_up()?;
        let of = &self.live.profile.drill;
        let string = stage::windows(&self.place, &self.live.profile, self.site.profile.standby()?.database());
        let windows = Windows::open(&string, &of.workload, of.windows)?;
        windows.wait_for(self.place.primary.port(), self.drill.began, Duration::from_secs(10));
        self.live.talk.say(format!("scenario {}", self.drill.scenario.name()));
        let struck = Utc::now();
        let scenario = self.drill.scenario;
        scenario.strike(&self.place, &self.live.profile)?;
        if scenario == Scenario::Attack {
            self.attacked()?;
        }
        if scenario == Scenario::StandbyToo {
            self.on_paper()?;
        } else {
            self.on_the_standby(&windows, struck)?;
        }
        scenario.mend(&self.place)?;
        if scenario == Scenario::Attack {
            self.rebuild()?;
        }
        let returned = match self.act("his-switch", &["primary"], &[0, 3, 4])? {
            Acted { code: 4, .. } if scenario == Scenario::Attack => {
                self.backfill()?;
                self.act("his-switch", &["primary"], &[0, 3])?
            }
            Acted { code: 4, json, .. } => {
                let reason = json["error"].as_str().unwrap_or("it was refused").to_owned();
                return Err(Error::failed("return to the drill's primary", reason));
            }
            other => other,
        };
        self.drill.measured.return_seconds = Some(returned.seconds);
        let standby = self.place.standby.port();
        let seen = windows.close();
        self.drill.measured.seen = seen.iter().filter(|c| c.port == standby).count() as u64;
        self.account()
    }

    /// The windows work on the standby for a while, and the export runs beside them.
    fn on_the_standby(&mut self, windows: &Windows, struck: chrono::DateTime<Utc>) -> Result<()> {
        let of = &self.live.profile.drill;
        let mut args = vec!["standby", "--reason", "drill", "--accept-stale"];
        if self.drill.scenario == Scenario::Building {
            args.push("--both-live");
        }
        self.drill.measured.switch_seconds = Some(self.act("his-switch", &args, &[0, 3])?.seconds);
        if self.drill.scenario == Scenario::Hung {
            windows.reopen();
        }
        let first = windows.wait_for(self.place.standby.port(), struck, of.switch_within);
        self.drill.measured.first_commit_seconds = first.map(|c| (c.at - struck).num_milliseconds() as f64 / 1000.0);
        let status = self.act("his-switch", &["status"], &[0])?.json;
        self.drill.measured.data_age_seconds = status["standby"]["data_age_seconds"].as_i64();
        let until = Instant::now() + Duration::from_secs(of.seconds);
        while Instant::now() < until {
            self.act("his-export-queue", &[], &[0])?;
            std::thread::sleep(Duration::from_secs(2).min(until.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }

    /// The damaged primary is downloaded and must not be loaded; then it is cut off.
    fn attacked(&mut self) -> Result<()> {
        self.act("his-snapshot", &[], &[0])?;
        let loaded = self.act("his-load-standby", &[], &[0, 4])?;
        self.drill.measured.damage_refused = Some(loaded.code == 4);
        self.place.primary.kill()
    }

    /// The damaged database goes, and the snapshot that the standby was loaded from comes in its place.
    fn rebuild(&mut self) -> Result<()> {
        let server = self.place.primary.server(&self.live.profile)?;
        load::drop_database(&server, server.database())?;
        let sound = self.sound()?;
        let mut profile = self.site.profile.clone();
        profile.numbers.clear();
        let site = Site { profile, store: self.site.store.clone(), by: self.live.by.clone(), talk: Talk::silent() };
        load::restore(&site, &server, Some(&sound), server.database()).map(drop)
    }

    fn backfill(&mut self) -> Result<()> {
        let sound = self.sound()?;
        self.act("his-merge", &["backfill", &sound, "--rebuilt"], &[0, 3]).map(drop)
    }

    /// The snapshot that the event's standby was loaded from.
    fn sound(&self) -> Result<String> {
        let event = self.site.store.state()?.event.and_then(|e| e.snapshot);
        event.ok_or_else(|| Error::failed("rebuild the drill's primary", "the event knows no snapshot"))
    }

    /// Both servers are gone: numbers are handed out, and all of them void at the end.
    fn on_paper(&mut self) -> Result<()> {
        self.drill.measured.switch_seconds =
            Some(self.act("his-switch", &["paper", "--reason", "drill"], &[0, 3])?.seconds);
        for slip in &self.site.profile.slips {
            let issued =
                self.act("his-import-paper", &["numbers", "issue", &slip.kind, "--count", "5", "--to", "drill"], &[0])?;
            let (Some(first), Some(last)) = (issued.json["first"].as_str(), issued.json["last"].as_str()) else {
                continue;
            };
            self.act("his-import-paper", &["numbers", "void", first, last, "--why", "drill"], &[0])?;
            *self.drill.measured.slips.get_or_insert(0) += 5;
        }
        Ok(())
    }

    /// What became of every unit.
    fn account(&mut self) -> Result<()> {
        if self.drill.scenario == Scenario::StandbyToo {
            return Ok(());
        }
        let Some(standing) = merge::status(&self.site)? else {
            return Err(Error::failed("account for the drill", "it has no event"));
        };
        let (m, units) = (&mut self.drill.measured, standing.account.units);
        (m.captured, m.merged, m.held, m.rejected) = (units.captured, units.merged, units.held, units.rejected);
        m.lost = m.captured.saturating_sub(m.merged + m.held + m.rejected) + m.seen.saturating_sub(m.captured);
        let reconciled = self.act("his-merge", &["reconcile"], &[0, 3])?;
        self.drill.measured.balanced = reconciled.json["balanced"] == Value::Bool(true);
        Ok(())
    }

    /// What people did, by the drill's journal.
    fn by_its_journal(&mut self) -> Result<()> {
        let (acts, broken) = self.site.store.journal().read()?;
        if let Some(broken) = broken {
            return Err(self.site.store.damaged("journal.jsonl", broken.reason));
        }
        let took = |names: &[&str]| {
            let of = |result: &str| {
                acts.iter().find(|a| names.contains(&a.act.as_str()) && a.result == result).map(|a| a.at)
            };
            Some((of("done")? - of("begun")?).num_milliseconds() as f64 / 1000.0)
        };
        self.drill.measured.switch_seconds = took(&["switch standby", "switch paper"]);
        self.drill.measured.return_seconds = took(&["switch primary"]);
        let mode = self.site.store.state()?.mode;
        if mode != Mode::Normal {
            return Err(Error::failed("end the drill", format!("the windows are in mode '{mode}'")));
        }
        self.account()
    }

    /// Proves, judges, writes down, clears away.
    fn end(mut self) -> Result<Drill> {
        let proved = self.used().and_then(|used| proof::rows_on_primary(self.live, &self.before, &used));
        match proved {
            Ok(rows) => self.drill.measured.rows_on_primary = Some(rows),
            Err(e) => self.live.talk.warn(format!("that nothing is on the primary is not proven: {e}")),
        }
        self.drill.measured.seconds = (Utc::now() - self.drill.began).num_milliseconds() as f64 / 1000.0;
        judge::judge(&mut self.drill, &self.live.profile.drill);
        self.drill.ended = Some(Utc::now());
        // The log of what was run stays; the servers and the patients' data in them go.
        let kept = Drill::folder(self.live, &self.drill.drill).join("journal.jsonl");
        if let Ok(text) = std::fs::read(self.site.store.dir().join("journal.jsonl")) {
            crate::store::durable::replace(&kept, &text).cannot(format!("keep '{}'", kept.display()))?;
        }
        self.place.remove()?;
        self.drill.place = None;
        self.drill.write(self.live)?;
        let result = if self.drill.broke_off.is_none() { "done" } else { "broke off" };
        let detail = json!({ "drill": self.drill.drill, "scenario": self.drill.scenario, "score": self.drill.score, "lost": self.drill.measured.lost, "seconds": self.began.elapsed().as_secs_f64() });
        self.live.store.journal().write(&self.live.by, "exercise", None, result, detail)?;
        Ok(self.drill)
    }

    /// How far the drill has used each block.
    fn used(&self) -> Result<Used> {
        let mut used = numbers::seen_by_the_store(&self.site)?;
        let server = self.site.profile.standby()?.named("his-drill");
        if server.answers(server.database()) {
            let mut client = server.connect()?;
            for (sequence, number) in numbers::seen_by(&self.site, &mut client)? {
                let highest = used.entry(sequence).or_insert(number);
                *highest = (*highest).max(number);
            }
        }
        Ok(used)
    }
}

/// The exit of a drill: 0 when every criterion was met, else somebody has to look at it.
#[must_use]
pub fn exit(drill: &Drill) -> Exit {
    let met = drill.broke_off.is_none() && drill.criteria.iter().all(|c| c.passed);
    if met { Exit::Done } else { Exit::NeedsPerson }
}

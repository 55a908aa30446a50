//! `his-switch status`: how everything stands, with both servers on or off.

use super::choose::{self, Asked, Why};
use super::primary_side;
use super::{endpoint, lost, moves, ours};
use crate::bouncer;
use crate::cli::{Outcome, Site, Talk};
use crate::clock;
use crate::db::{self, Client, sql};
use crate::error::{Cannot, Exit, Result};
use crate::merge;
use crate::queue;
use crate::standby::{self, Gate, Generation};
use crate::store::{Broken, FenceState, Holder, Kind, Lock, Mode, State};
use chrono::{DateTime, Utc};
use minijinja::context;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// No server is waited for longer.
const LIMIT: Duration = Duration::from_secs(2);

/// What is known of the standby.
#[derive(Debug, Clone)]
struct StandbySide {
    /// The generation that is open, or that the next opening would take.
    generation: Option<Generation>,
    /// Nothing has been written in it since it was loaded, and it is not older than `max_age`.
    fresh: bool,
    /// The database that has the standby's name.
    gate: Option<Gate>,
    writable: bool,
    windows: i64,
    /// Units of the event in the database that has the standby's name.
    captured: Option<u64>,
    drill: bool,
}

struct PrimarySide {
    look: primary_side::Look,
    windows: i64,
}

/// Everything, each part `None` where it is not known.
struct Seen {
    state: State,
    standby: Option<StandbySide>,
    primary: Option<PrimarySide>,
    exported: u64,
    /// Merged, held, rejected.
    account: Option<merge::Counts>,
    broken: Option<Broken>,
    holders: Vec<(Kind, Holder)>,
    /// Where each PgBouncer leads.
    bouncers: Vec<bouncer::Seen>,
    /// Where the mirror is, and what is wrong with it, if anything; `None` when the profile names none.
    mirror: Option<(PathBuf, Option<String>)>,
}

/// Looks at store, standby and primary at once, and says what to do next.
pub fn run(site: &Site) -> Result<Outcome> {
    // First contact, here as everywhere; also with a limit of its own, because somebody is waiting to read.
    let limit = LIMIT.min(site.profile.limits.fence);
    if let Err(e) = moves::try_first_contact(site, limit) {
        site.talk.warn(format!("the primary answers again, but {e}; {}", e.hint_text()));
    }
    lost::close_returned(site);
    endpoint::at_first_contact(site);
    let state = site.store.state()?;
    let (for_standby, for_primary, for_merge) = (quiet(site), quiet(site), quiet(site));
    let (standby_state, primary_state) = (state.clone(), state.clone());
    let (standby, primary, account, bouncers) = std::thread::scope(|scope| {
        let bouncers = scope.spawn(|| endpoint::look(site));
        let standby = scope.spawn(move || db::within(LIMIT, move || standby_side(&for_standby, &standby_state)));
        let primary = scope.spawn(move || db::within(LIMIT, move || primary_side(&for_primary)));
        let account = scope.spawn(move || {
            primary_state.event.is_some().then(|| db::within(LIMIT, move || merge::status(&for_merge))).flatten()
        });
        let bouncers = bouncers.join().unwrap_or_default();
        (flat(standby.join()), flat(primary.join()), flat(account.join()), bouncers)
    });
    let exported = match &state.event {
        Some(event) => queue::totals(&queue::chain(&site.store, &event.id)?.0).units,
        None => 0,
    };
    let mut holders = Vec::new();
    for kind in Kind::BELOW_SWITCH.into_iter().chain([Kind::Switch]) {
        holders.extend(Lock::holder(&site.store, kind)?.map(|holder| (kind, holder)));
    }
    let seen = Seen {
        state,
        standby,
        primary,
        exported,
        account: account.flatten().or_else(|| by_receipt(site)).map(|s| s.account.units),
        broken: site.store.journal().read()?.1,
        holders,
        bouncers,
        mirror: site.store.mirror_state().map(|(path, reason)| (path.to_path_buf(), reason)),
    };
    let exit = if seen.broken.is_some() { Exit::Damaged } else { Exit::Done };
    Ok(Outcome::new(json_of(&seen), text(site, &seen)).exit(exit))
}

/// A primary that hangs did not get as far as its receipt.
fn by_receipt(site: &Site) -> Option<merge::Standing> {
    let event = site.store.state().ok()?.event?;
    merge::script::by_receipt(site, &event.id).ok().flatten()
}

type Answered<T> = std::thread::Result<Option<Result<T>>>;

/// What hinders a probe is only that nothing is known.
fn flat<T>(answered: Answered<T>) -> Option<T> {
    match answered {
        Ok(Some(Ok(found))) => Some(found),
        Ok(Some(Err(e))) => {
            log::info!("{e}");
            None
        }
        _ => None,
    }
}

fn quiet(site: &Site) -> Site {
    Site { profile: site.profile.clone(), store: site.store.clone(), by: site.by.clone(), talk: Talk::silent() }
}

fn standby_side(site: &Site, state: &State) -> Result<StandbySide> {
    let server = site.profile.standby()?.named(ours::ASKING);
    let name = server.database().to_owned();
    let mut on_postgres = server.connect_within("postgres", LIMIT)?;
    let drill = super::drill::is_running(&mut on_postgres, &name)?;
    let all = Generation::all(&server)?;
    let current = all.iter().find(|g| g.database == name);
    let (mut writable, mut windows, mut captured) = (false, 0, None);
    if let Some(current) = current {
        let mut client = server.connect_within(&name, LIMIT)?;
        writable = current.gate == Gate::Open && !is_steered_away(&mut client, &name)?;
        windows = window_sessions(site, &mut client)?;
        captured = match &state.event {
            Some(event) if event.generation == Some(current.number) => Some(captured_units(&mut client, event.epoch)?),
            _ => None,
        };
    }
    let running = moves::running_event(state).and_then(|e| e.generation);
    let asked = Asked {
        site: &site.profile.site,
        of_this_event: running,
        merge_run: state.merge_run,
        max_age: site.profile.limits.max_age,
        now: Utc::now(),
        accept_stale: true,
    };
    let choice = choose::choose(&all, &name, asked).ok();
    let fresh = choose::choose(&all, &name, Asked { accept_stale: false, ..asked }).is_ok_and(|c| c.why == Why::Fresh);
    Ok(StandbySide {
        generation: choice.map(|c| c.generation),
        fresh,
        gate: current.map(|g| g.gate),
        writable,
        windows,
        captured,
        drill,
    })
}

fn primary_side(site: &Site) -> Result<PrimarySide> {
    let server = site.profile.primary()?.named(ours::ASKING);
    let mut client = server.connect_within(server.database(), LIMIT)?;
    Ok(PrimarySide { look: primary_side::look(&mut client)?, windows: window_sessions(site, &mut client)? })
}

fn window_sessions(site: &Site, client: &mut Client) -> Result<i64> {
    let roles = ours::roles(&site.profile)?;
    let row = client
        .query_one(crate::sql!("switch/window_sessions.sql"), &[&roles, &ours::window_roles(&site.profile)])
        .cannot("count the windows")?;
    Ok(row.get(0))
}

/// Whether new connections of the windows step over `database`.
pub fn is_steered_away(client: &mut Client, database: &str) -> Result<bool> {
    let row = client
        .query_one(crate::sql!("switch/is_steered_away.sql"), &[&database])
        .cannot(format!("look where the windows of '{database}' are steered"))?;
    Ok(row.get(0))
}

/// Units that the generation of `client` captured under `epoch`.
fn captured_units(client: &mut Client, epoch: u64) -> Result<u64> {
    let tables: Vec<i32> = standby::captured(client)?.iter().map(|t| t.no).collect();
    if tables.is_empty() {
        return Ok(0);
    }
    let text = sql::render(crate::sql!("switch/captured_units.sql"), context! { tables, epoch })?;
    let row = client.query_one(&text, &[]).cannot("count the units of the event")?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}

impl Seen {
    /// Where the data of the event's standby ends, or of the one that would be opened.
    fn data_until(&self) -> Option<DateTime<Utc>> {
        let of_event = moves::running_event(&self.state).and_then(|e| e.data_until);
        of_event.or_else(|| self.standby.as_ref().and_then(|s| s.generation.as_ref()).and_then(|g| g.taken_at))
    }

    /// What the standby says, else what the batches and the ledger add up to.
    fn captured(&self) -> Option<u64> {
        self.state.event.as_ref()?;
        let in_standby = self.standby.as_ref().and_then(|s| s.captured);
        let closed = self.account.filter(|_| self.state.mode == Mode::Normal).map(|a| a.captured);
        let never = self.state.event.as_ref().is_some_and(|e| e.generation.is_none()).then_some(0);
        in_standby.or(closed).or(never)
    }
}

fn json_of(seen: &Seen) -> Value {
    let state = &seen.state;
    let event = state.event.as_ref();
    let (standby, primary) = (seen.standby.as_ref(), seen.primary.as_ref());
    let generation = standby.and_then(|s| s.generation.as_ref());
    let until = seen.data_until();
    let fenced = primary.map(|p| p.look.fenced);
    let locks: Vec<Value> = seen
        .holders
        .iter()
        .map(|(kind, h)| json!({ "kind": kind, "program": h.program, "pid": h.pid, "host": h.host, "by": h.by, "since": h.since }))
        .collect();
    json!({
        "mode": state.mode,
        "event": event.map(|e| &e.id),
        "drill": standby.is_some_and(|s| s.drill),
        "since": state.since,
        "data_until": until,
        "standby": {
            "reachable": standby.is_some(),
            "snapshot": generation.and_then(|g| g.snapshot.as_ref()).or(moves::running_event(state).and_then(|e| e.snapshot.as_ref())),
            "data_age_seconds": until.map(|t| (Utc::now() - t).num_seconds()),
            "writable": standby.map(|s| s.writable),
            "generation": generation.map(|g| g.number),
            "gate": standby.and_then(|s| s.gate).map(gate_name),
        },
        "primary": { "reachable": primary.is_some(), "writable": primary.map(|p| p.look.writable()), "fenced": fenced },
        "windows": { "on_standby": standby.map(|s| s.windows), "on_primary": primary.map(|p| p.windows) },
        "units": {
            "captured": seen.captured(),
            "exported": event.map(|_| seen.exported),
            "merged": seen.account.map(|a| a.merged),
            "held": seen.account.map(|a| a.held),
            "rejected": seen.account.map(|a| a.rejected),
        },
        "fence": state.fence,
        "moving": state.moving,
        "lost_after_batch": event.and_then(|e| e.lost_after_batch),
        "locks": locks,
        "journal": { "ok": seen.broken.is_none(), "broken_line": seen.broken.as_ref().map(|b| b.line) },
        "pgbouncers": seen.bouncers.iter().map(|b| bouncer_json(b, state)).collect::<Vec<_>>(),
        "mirror": seen.mirror.as_ref().map(|(path, reason)| json!({ "path": path, "ok": reason.is_none(), "reason": reason })),
        "next": next_step(seen),
    })
}

/// Null is what is not known; "problem" is what keeps its windows from where they belong.
fn bouncer_json(bouncer: &bouncer::Seen, state: &State) -> Value {
    json!({
        "file": bouncer.file,
        "file_leads_to": bouncer.file_says.as_ref().ok(),
        "leads_to": bouncer.leads.as_ref().ok(),
        "left": bouncer.left,
        "problem": bouncer.wrong(endpoint::belongs(state.mode)),
    })
}

/// The first PgBouncer that does not lead where the windows belong.
fn led_wrong(seen: &Seen) -> Option<(&bouncer::Seen, String)> {
    seen.bouncers.iter().find_map(|b| Some((b, b.wrong(endpoint::belongs(seen.state.mode))?)))
}

fn gate_name(gate: Gate) -> &'static str {
    match gate {
        Gate::Closed => "closed",
        Gate::Open => "open",
        Gate::DiedOpen => "died open",
    }
}

fn text(site: &Site, seen: &Seen) -> String {
    let (state, now, of) = (&seen.state, Utc::now(), &site.profile.site);
    let mut page = String::new();
    let mut line = |label: &str, text: String| {
        let _ = writeln!(page, "{label:<9} {text}");
    };
    let since = state.since.map(|t| format!(" since {}", clock::time_of_day(of, t, now))).unwrap_or_default();
    line("mode", format!("{}{since}", state.mode));
    if let Some(moving) = &state.moving {
        let command = moves::name(moving.to);
        line("", format!("the move '{command}' was begun and has not ended (so far: {})", moving.step));
    }
    if let Some(event) = &state.event {
        let ended = event.ended_at.map(|t| format!(", ended {}", clock::time_of_day(of, t, now))).unwrap_or_default();
        let level = event.level.map(|l| format!(", level {l}")).unwrap_or_default();
        line("event", format!("{}{level}: {}{ended}", event.id, event.reason));
        if let Some(batch) = event.lost_after_batch {
            line("", format!("the standby was given up: unknown after batch {batch}"));
        }
    }
    line("standby", standby_text(of, seen, now));
    line("primary", primary_text(seen));
    let count = |n: Option<i64>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let (on_standby, on_primary) =
        (count(seen.standby.as_ref().map(|s| s.windows)), count(seen.primary.as_ref().map(|p| p.windows)));
    line("windows", format!("{on_standby} sessions on the standby, {on_primary} on the primary"));
    for bouncer in &seen.bouncers {
        let text = match (bouncer.wrong(endpoint::belongs(state.mode)), &bouncer.leads) {
            (Some(problem), _) => format!("NOT WELL: {problem}"),
            (None, leads) => format!("leads {}", leads.as_ref().map_or("?", |l| l.shown())),
        };
        let left = if bouncer.left > 0 {
            format!("; {} sessions from before go on where they were", bouncer.left)
        } else {
            String::new()
        };
        line("pgbouncer", format!("'{}' {text}{left}", bouncer.file.display()));
    }
    if state.event.is_some() {
        let known = |n: Option<u64>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
        let a = seen.account;
        line(
            "units",
            format!(
                "captured {}, exported {}, merged {}, held {}, rejected {}",
                known(seen.captured()),
                seen.exported,
                known(a.map(|a| a.merged)),
                known(a.map(|a| a.held)),
                known(a.map(|a| a.rejected))
            ),
        );
    }
    for (kind, holder) in &seen.holders {
        let since = clock::time_of_day(of, holder.since, now);
        line(
            "running",
            format!("{}: {} (process {} on {}) since {since}", kind.name(), holder.program, holder.pid, holder.host),
        );
    }
    if let Some(broken) = &seen.broken {
        line("journal", format!("DAMAGED: line {} {}", broken.line, broken.reason));
    }
    if let Some((path, Some(reason))) = &seen.mirror {
        line("mirror", format!("'{}' is NOT up to date: {reason}", path.display()));
    }
    line("next", next_step(seen));
    page
}

fn standby_text(of: &crate::profile::Site, seen: &Seen, now: DateTime<Utc>) -> String {
    let Some(standby) = &seen.standby else { return "cannot be reached".to_owned() };
    let gate = match standby.gate {
        None => "not set up",
        Some(Gate::DiedOpen) => "DIED OPEN: shut until confirmed",
        Some(Gate::Open) if standby.writable => "open for the windows",
        Some(Gate::Open) => "gate open, but new connections step over it",
        Some(Gate::Closed) => "closed",
    };
    let data = match &standby.generation {
        None => "; no generation could be opened".to_owned(),
        Some(g) => {
            let until = seen.data_until().map(|t| format!(", {}", clock::data_until(of, t, now))).unwrap_or_default();
            format!("; generation {}{until}", g.number)
        }
    };
    format!("{gate}{data}")
}

fn primary_text(seen: &Seen) -> String {
    let waits = if seen.state.fence == FenceState::Pending { ", to be fenced at first contact" } else { "" };
    let Some(primary) = &seen.primary else { return format!("cannot be reached{waits}") };
    let kind = if primary.look.in_recovery {
        "a replica in recovery"
    } else if primary.look.read_only {
        "answers, read-only by default"
    } else {
        "answers"
    };
    format!("{kind}, {}{waits}", if primary.look.fenced { "fenced" } else { "not fenced" })
}

/// One sentence for somebody who has been woken up.
fn next_step(seen: &Seen) -> String {
    let (state, primary) = (&seen.state, seen.primary.is_some());
    if seen.broken.is_some() {
        return "the journal was changed or cut; compare it with its mirror and tell who is responsible".to_owned();
    }
    if let Some(moving) = &state.moving {
        return format!("run `his-switch {}` again: it goes on where it was", moves::name(moving.to));
    }
    let led = led_wrong(seen)
        .map(|(b, problem)| format!("run `his-switch endpoint`: PgBouncer '{}': {problem}", b.file.display()));
    let died = seen.standby.as_ref().is_some_and(|s| s.gate == Some(Gate::DiedOpen));
    let openable = seen.standby.as_ref().is_some_and(|s| s.generation.is_some());
    match state.mode {
        Mode::Standby if died => "run `his-switch standby` to confirm the standby that died open".to_owned(),
        Mode::Standby if seen.standby.is_none() => {
            "bring the standby back; if it is lost: `his-switch paper --standby-lost --why TEXT`".to_owned()
        }
        _ if led.is_some() => led.unwrap_or_default(),
        Mode::Standby | Mode::Paper if primary => "when the primary is sound: `his-switch primary`".to_owned(),
        Mode::Standby => "his-export-queue each minute; `his-switch primary` when the primary is back".to_owned(),
        Mode::Paper => "`his-switch primary` when the primary is back, or `his-switch standby`".to_owned(),
        Mode::Normal if seen.account.is_some_and(|a| a.held > 0) => {
            "his-merge conflicts: units wait for a person".to_owned()
        }
        Mode::Normal if primary && seen.standby.as_ref().is_some_and(|s| !s.fresh) => {
            "his-snapshot and his-load-standby: the standby has nothing fresh to open".to_owned()
        }
        Mode::Normal if primary && matches!(seen.mirror, Some((_, Some(_)))) => {
            "mend the mirror; his-export-queue then brings it up to date".to_owned()
        }
        Mode::Normal if primary => "nothing".to_owned(),
        Mode::Normal if openable => "if the primary is out: `his-switch standby --reason TEXT`".to_owned(),
        Mode::Normal => "if the primary is out: `his-switch paper`; no standby can be opened".to_owned(),
    }
}

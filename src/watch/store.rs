//! The store: snapshots, chains, units on their way, locks, disks, copies, the print pack.

use super::memory::Memory;
use super::{Measure, PROGRAM, Sheet, State, Unit};
use crate::cli::Site;
use crate::clock;
use crate::error::{Cannot, Result};
use crate::paper::{self, register::Register};
use crate::profile::Paper;
use crate::snapshot::{self, Snapshot, Standing};
use crate::standby::{self, Gate, Generation};
use crate::store::{Act, Kind, Lock, Mode};
use crate::{merge, queue};
use chrono::{DateTime, TimeDelta, Utc};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

pub(super) const NAMES: &[&str] =
    &["snapshot", "chain", "keys", "locks", "disk", "mirror", "offline-copy", "print-pack", "slips"];

pub(super) fn look(site: &Site, sheet: &mut Sheet) -> Result<()> {
    let now = Utc::now();
    let newest = snapshots(site, sheet)?;
    let (acts, broken) = site.store.journal().read()?;
    chains(site, sheet, &acts, broken.map(|b| format!("the journal, line {} {}", b.line, b.reason)))?;
    keys(site, sheet);
    locks(site, sheet, now)?;
    disks(site, sheet)?;
    mirror(site, sheet);
    offline_copy(site, sheet, now)?;
    print_pack(site, sheet, newest.as_ref(), now)?;
    slips(site, sheet)
}

fn snapshots(site: &Site, sheet: &mut Sheet) -> Result<Option<Standing>> {
    let mut damaged = Vec::new();
    let mut newest = None;
    for listed in snapshot::list(&site.store)? {
        match listed.found {
            Ok(found) => newest = Some(found),
            Err(e) => damaged.push((State::Critical, e.to_string())),
        }
    }
    let fine = newest.as_ref().map_or("none yet".to_owned(), |s| format!("the newest is {}, whole", s.id));
    // The newest, with what it stands on, is what a standby that is lost would be built from; the night's his-snapshot
    // verify reads all of them.
    let mut standing = None;
    match newest.map(|newest| Standing::of(&site.store, newest)) {
        Some(Ok(newest)) => {
            damaged.extend(newest.all().filter_map(|s| sizes(s).err()).map(|e| (State::Critical, e)));
            standing = Some(newest);
        }
        Some(Err(e)) => damaged.push((State::Critical, e.to_string())),
        None => {}
    }
    sheet
        .add_all("snapshot", &damaged, fine)
        .hint("his-snapshot verify --all names every file; move a damaged one away, and take a new one.");
    Ok(standing)
}

/// Looks at every file of a snapshot without reading it.
fn sizes(snapshot: &Snapshot) -> std::result::Result<(), String> {
    for file in snapshot.manifest.files() {
        let path = snapshot.path.join(file);
        match std::fs::metadata(&path) {
            Ok(m) if m.len() > 0 => {}
            Ok(_) => return Err(format!("'{}' is empty", path.display())),
            Err(e) => return Err(format!("'{}': {e}", path.display())),
        }
    }
    Ok(())
}

/// Whether an event was signed off by both, as the journal has it.
fn is_settled(acts: &[Act], event: &str) -> bool {
    acts.iter().any(|a| a.act == "sign off" && a.event.as_deref() == Some(event) && a.detail["signed_off"] == true)
}

fn chains(site: &Site, sheet: &mut Sheet, acts: &[Act], journal: Option<String>) -> Result<()> {
    let mut findings: Vec<(State, String)> = journal.into_iter().map(|j| (State::Critical, j)).collect();
    if let Err(e) = Register::read(site) {
        findings.push((State::Critical, e.to_string()));
    }
    let (now, mut memory, mut there) = (Utc::now(), Memory::read(site), Vec::new());
    for event in site.store.events()?.iter().filter(|e| !is_settled(acts, e)) {
        let batches = site.store.batches(event)?;
        let known: Vec<(u64, String)> =
            batches.iter().filter_map(|(number, dir)| Some((*number, memory.whole(dir, now)?))).collect();
        let (good, broken) = queue::chain_after(&site.store, event, &known)?;
        good.iter().for_each(|batch| memory.is_whole(&batch.dir, &batch.sha256, now));
        findings.extend(broken.map(|e| (State::Critical, e.to_string())));
        there.extend(batches.iter().map(|(_, dir)| dir.display().to_string()));
    }
    memory.forget_batches_but(&there);
    memory.write(site);
    let fine = format!("journal, register and {} batches of open events hold", there.len());
    sheet
        .add_all("chain", &findings, fine)
        .hint("compare with the mirror; his-export-queue makes a batch again while the standby has its units.");
    Ok(())
}

/// A key that cannot be used shows here on a normal day, and not when the first batch of an emergency is to be signed.
fn keys(site: &Site, sheet: &mut Sheet) {
    let Some(trouble) = site.store.seal().trouble() else {
        sheet.add("keys", State::Ok, "nothing is signed or encrypted (no [sign], no [encrypt])");
        return;
    };
    let findings: Vec<(State, String)> = trouble.into_iter().map(|t| (State::Critical, t)).collect();
    sheet
        .add_all("keys", &findings, "what is to be signed, checked, encrypted and read can be")
        .hint("put the key back where the profile says; his-emergency(7) says how keys are changed.");
}

/// Units on their way: in no batch, in batches and merged by nobody, or held. Apart from the rest, because the servers may keep
/// it waiting.
pub(super) fn units(site: &Site, sheet: &mut Sheet) -> Result<()> {
    let (acts, now) = (site.store.journal().read()?.0, Utc::now());
    let acts = acts.as_slice();
    let state = site.store.state()?;
    let limit = site.profile.watch.units;
    let server = site.profile.standby()?.named(PROGRAM);
    let mut findings = Vec::new();
    let mut measures = Vec::new();
    let mut unexported = 0;
    for generation in Generation::all(&server).unwrap_or_default() {
        let Ok(mut client) = server.connect_to(&generation.database) else { continue };
        let units = standby::units(&mut client)?;
        unexported += units.unexported;
        if units.unexported > 0 && generation.gate != Gate::Open {
            let text = format!("{}: {} units are in no batch", generation.database, units.unexported);
            findings.push((State::Critical, text));
        }
    }
    measures.push(Measure::new("units_unexported", Unit::Count, unexported as f64));
    if state.mode == Mode::Standby && unexported > 0 {
        let event = state.event.as_ref().map(|e| e.id.clone()).unwrap_or_default();
        let last = acts.iter().rev().find(|a| a.act == "export" && a.event.as_deref() == Some(&event)).map(|a| a.at);
        let since = last.or(state.since).unwrap_or(now);
        if is_older(now - since, limit) {
            let text =
                format!("{unexported} units are in no batch, the last export was {} ago", clock::length(now - since));
            findings.push((State::Warning, text));
        }
    }
    if let Some(event) = state.event.as_ref().filter(|e| state.mode == Mode::Normal && !is_settled(acts, &e.id)) {
        match merge::status(site) {
            Ok(Some(standing)) => {
                let u = standing.account.units;
                let open = u.captured.saturating_sub(u.merged + u.held + u.rejected);
                measures.push(Measure::new("units_unmerged", Unit::Count, open as f64));
                measures.push(Measure::new("units_held", Unit::Count, u.held as f64));
                if open > 0 {
                    findings.push((State::Warning, format!("{open} units of {} are not merged", event.id)));
                }
                if u.held > 0 {
                    findings.push((State::Warning, format!("{} units of {} wait for a person", u.held, event.id)));
                }
            }
            Ok(None) => {}
            Err(e) => findings.push((State::Warning, format!("what is merged of {} is not known: {e}", event.id))),
        }
    }
    sheet
        .add_all("units", &findings, "none is on its way")
        .measures(measures)
        .hint("his-export-queue, his-merge, his-merge conflicts: in this order.");
    Ok(())
}

fn is_older(age: TimeDelta, limit: Duration) -> bool {
    age.to_std().is_ok_and(|age| age > limit)
}

fn locks(site: &Site, sheet: &mut Sheet, now: DateTime<Utc>) -> Result<()> {
    let mut findings = Vec::new();
    for kind in Kind::BELOW_SWITCH.into_iter().chain([Kind::Switch]) {
        let Some(holder) = Lock::holder(&site.store, kind)? else { continue };
        let age = now - holder.since;
        let state = if is_older(age, site.profile.watch.lock) { State::Warning } else { State::Ok };
        let text = format!(
            "{} by {} (process {} on {}) for {}",
            kind.name(),
            holder.program,
            holder.pid,
            holder.host,
            clock::length(age)
        );
        findings.push((state, text));
    }
    let fine =
        if findings.is_empty() { "none is held".to_owned() } else { format!("{} held, none for long", findings.len()) };
    sheet
        .add_all("locks", &findings, fine)
        .hint("that run is stuck: end it by its process number; what it did is not lost.");
    Ok(())
}

fn disks(site: &Site, sheet: &mut Sheet) -> Result<()> {
    let places = [("store", Some(site.store.dir())), ("mirror", site.profile.store.mirror.as_deref())];
    let (mut findings, mut measures) = (Vec::new(), Vec::new());
    for (what, dir) in places {
        let Some(dir) = dir.filter(|d| d.exists()) else { continue };
        let fs = rustix::fs::statvfs(dir)
            .map_err(std::io::Error::from)
            .cannot(format!("look at the disk of '{}'", dir.display()))?;
        let (free, whole) = ((fs.f_bavail * fs.f_frsize) as f64, (fs.f_blocks * fs.f_frsize) as f64);
        #[allow(clippy::cast_precision_loss, reason = "a percentage")]
        let least = whole * site.profile.watch.disk as f64 / 100.0;
        let measure =
            Measure::new("disk_free_bytes", Unit::Bytes, free).below(Some(least), Some(least / 5.0)).of("place", what);
        let share = if whole > 0.0 { free / whole * 100.0 } else { 0.0 };
        findings.push((measure.state(), format!("{what}: {share:.0} % free ({})", crate::watch::show::bytes(free))));
        measures.push(measure);
    }
    let fine = measures.iter().map(|m| crate::watch::show::bytes(m.value)).collect::<Vec<_>>().join(" and ") + " free";
    sheet
        .add_all("disk", &findings, fine)
        .measures(measures)
        .hint("his-snapshot prune; a full disk stops snapshots and batches.");
    Ok(())
}

/// The mirror has to be up to date, and on another disk: below a mount point where nothing is mounted it is on ours.
fn mirror(site: &Site, sheet: &mut Sheet) {
    let hint =
        "the mirror is for the day on which this machine is lost: mount it, or name another place in [store] mirror.";
    let Some(dir) = &site.profile.store.mirror else {
        sheet.add("mirror", State::Warning, "the profile names none: losing this machine loses every batch").hint(hint);
        return;
    };
    if let Some((_, Some(reason))) = site.store.mirror_state() {
        sheet.add("mirror", State::Warning, format!("'{}' is not up to date: {reason}", dir.display())).hint(hint);
        return;
    }
    match (device(dir), device(site.store.dir())) {
        (Some(theirs), Some(ours)) if theirs == ours => sheet
            .add("mirror", State::Warning, format!("'{}' is on the same disk as the store", dir.display()))
            .hint(hint),
        _ => sheet.add("mirror", State::Ok, "up to date, on another disk"),
    };
}

fn device(dir: &Path) -> Option<u64> {
    std::fs::metadata(dir).ok().map(|m| m.dev())
}

fn offline_copy(site: &Site, sheet: &mut Sheet, now: DateTime<Utc>) -> Result<()> {
    let hint = "his-snapshot copy --to DIR, onto a medium that then leaves the room: nothing else survives an attack.";
    match snapshot::offline_copy(&site.store)? {
        None => sheet.add("offline-copy", State::Warning, "there was never one").hint(hint),
        Some(copy) => {
            let age = now - copy.taken_at;
            let state = if is_older(age, site.profile.watch.offline_copy) { State::Warning } else { State::Ok };
            let text = format!(
                "of {}, {} old",
                clock::time_of_day(&site.profile.site, copy.taken_at, now),
                clock::length(age)
            );
            let measure = Measure::age("offline_copy_age_seconds", age)
                .above(Some(site.profile.watch.offline_copy.as_secs_f64()), None);
            sheet.add("offline-copy", state, text).measures([measure]).hint(hint)
        }
    };
    Ok(())
}

/// The pack must not be of yesterday, and what it prints from base data (prices, doctors) must be what it still is. Captured
/// tables change with every patient and are not compared.
fn print_pack(site: &Site, sheet: &mut Sheet, newest: Option<&Standing>, now: DateTime<Utc>) -> Result<()> {
    let hint = "his-import-paper pack --to DIR, and copy it to the windows' PCs.";
    let Paper { windows, pack, .. } = &site.profile.paper;
    if windows.is_empty() || pack.is_empty() {
        sheet.add("print-pack", State::Ok, "the profile wants none");
        return Ok(());
    }
    let Some(packed) = paper::pack::last(site)? else {
        sheet
            .add("print-pack", State::Warning, "there was never one: without it paper begins with an empty table")
            .hint(hint);
        return Ok(());
    };
    let age = now - packed.at;
    let mut findings = Vec::new();
    if is_older(age, site.profile.watch.pack) {
        findings.push((State::Warning, format!("it is {} old", clock::length(age))));
    }
    let base = |name: &str| site.profile.tables.iter().any(|t| t.name.to_string() == name && !t.capture);
    let mut changed = Vec::new();
    for (name, digest) in packed.tables.iter().filter(|(name, _)| base(name)) {
        // A table that the snapshot does not have any more is a matter of the profile.
        let Some(newest) = newest.filter(|n| n.columns(name).is_some()) else { continue };
        match newest.digest(name) {
            Ok(now) if now == *digest => {}
            Ok(_) => changed.push(name.as_str()),
            Err(e) => findings.push((State::Warning, e.to_string())),
        }
    }
    if !changed.is_empty() {
        findings.push((State::Warning, format!("changed since it was made: {}", changed.join(", "))));
    }
    let measure = Measure::age("print_pack_age_seconds", age).above(Some(site.profile.watch.pack.as_secs_f64()), None);
    sheet
        .add_all("print-pack", &findings, format!("{} old, its prices are today's", clock::length(age)))
        .measures([measure])
        .hint(hint);
    Ok(())
}

/// Blank slips that lie ready in the pack, against what the profile wants for each window.
fn slips(site: &Site, sheet: &mut Sheet) -> Result<()> {
    let register = Register::read(site)?;
    let epoch = site.store.state()?.epoch;
    let (mut findings, mut measures) = (Vec::new(), Vec::new());
    for (kind, wanted) in &site.profile.paper.pack {
        let Some(slip) = site.profile.slip(kind) else { continue };
        let series = register.series(&paper::Number::new(&slip.prefix, &site.profile.site.code, 1).series);
        let ready: u64 =
            series.blocks.iter().filter(|b| series.is_in_the_pack(b, epoch)).map(|b| b.last - b.first + 1).sum();
        let wanted = u64::try_from(*wanted).unwrap_or(0) * site.profile.paper.windows.len() as u64;
        let measure = Measure::new("slips_ready", Unit::Count, ready as f64)
            .below(Some(wanted as f64), Some(wanted as f64 / 4.0))
            .of("kind", kind.as_str());
        findings.push((
            measure.state().min(State::Warning),
            format!("{kind}: {ready} blank slips ready (wanted {wanted})"),
        ));
        measures.push(measure);
    }
    let fine = if measures.is_empty() {
        "the profile wants none".to_owned()
    } else {
        "as many blank slips as wanted".to_owned()
    };
    sheet
        .add_all("slips", &findings, fine)
        .measures(measures)
        .hint("his-import-paper pack --to DIR prints what is missing.");
    Ok(())
}

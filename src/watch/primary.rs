//! The primary: does it answer, how far is its replica behind, do the clocks agree.

use super::probe::{self, Answer};
use super::{Measure, PROGRAM, Sheet, State, Unit};
use crate::cli::Site;
use crate::db::{self, Client};
use crate::error::{Cannot, Result};
use chrono::{DateTime, Utc};

pub(super) const NAMES: &[&str] = &["primary-clock"];

/// The primary's line. Nothing about it hinders the standby, so it is never "needed".
pub(super) fn reachable(sheet: &mut Sheet, answer: &Answer, standby: &Answer, heard: Option<String>) {
    let alone = standby.seconds().is_none();
    let (state, text) = match answer {
        Answer::Query(_) => (State::Ok, "answers".to_owned()),
        Answer::Hung => (State::Critical, "HUNG: it takes connections and says nothing".to_owned()),
        Answer::Refuses(reason) => (State::Critical, format!("runs, and gives no session: {reason}")),
        Answer::Unsure(reason) => (State::Warning, format!("gives contradicting signs: {reason}")),
        Answer::Dead(reason) if heard.is_some() => {
            let heard = heard.unwrap_or_default();
            (State::Warning, format!("cannot be reached from here ({reason}), but {heard}"))
        }
        Answer::Dead(reason) if alone => (
            State::Critical,
            format!("cannot be reached ({reason}), and neither can the standby: this machine's own line?"),
        ),
        Answer::Dead(reason) => (State::Critical, format!("DEAD: no session, and its port is closed ({reason})")),
    };
    sheet.add("primary", state, text).hint(match answer {
        Answer::Hung => "a hung server holds the windows' sessions: runbooks/slow-or-hung.sh.",
        _ => "runbooks/primary-down.sh; it asks the same questions again and opens the standby.",
    });
}

/// Whether the replica that snapshots are read from still hears a primary that we do not.
pub(super) fn heard_by_the_replica(site: &Site, primary: &Answer) -> Option<String> {
    if !matches!(primary, Answer::Dead(_)) || !has_replica(site) {
        return None;
    }
    let server = site.profile.download().ok()?.named(PROGRAM);
    let heard = db::within(probe::PATIENCE, move || {
        let mut client = server.connect_within(server.database(), probe::PATIENCE).ok()?;
        let row = client.query_one(crate::sql!("watch/replica_hears.sql"), &[]).ok()?;
        row.get::<_, Option<f64>>(0)
    });
    heard.flatten().filter(|s| *s < 40.0).map(|s| format!("its replica heard it {s:.0} s ago"))
}

fn has_replica(site: &Site) -> bool {
    let (Ok(primary), Ok(read)) = (site.profile.primary(), site.profile.download()) else { return false };
    primary.place() != read.place()
}

pub(super) fn look(site: &Site, sheet: &mut Sheet) -> Result<()> {
    let server = site.profile.primary()?.named(PROGRAM);
    let mut client = server.connect()?;
    clock(site, sheet, "primary-clock", &mut client)?;
    if has_replica(site) {
        replica(site, sheet);
    }
    Ok(())
}

/// How far a server's clock is from ours; half of the way there and back is taken off.
pub(super) fn clock(site: &Site, sheet: &mut Sheet, name: &'static str, client: &mut Client) -> Result<()> {
    let before = Utc::now();
    let theirs: DateTime<Utc> =
        client.query_one(crate::sql!("watch/clock.sql"), &[]).cannot("ask a server for its time")?.get(0);
    let ours = before + (Utc::now() - before) / 2;
    #[allow(clippy::cast_precision_loss, reason = "milliseconds between two clocks")]
    let seconds = (theirs - ours).num_milliseconds() as f64 / 1000.0;
    let limit = site.profile.watch.clock.as_secs_f64();
    let label = if name == "primary-clock" { "primary" } else { "standby" };
    let measure = Measure::new("clock_difference_seconds", Unit::Seconds, seconds.abs())
        .above(Some(limit), None)
        .of("server", label);
    sheet
        .add(name, measure.state(), format!("{seconds:+.1} s from this machine"))
        .hint("set both machines by the same time server (chrony): times on receipts and the age of the data depend on it.")
        .measures([measure]);
    Ok(())
}

fn replica(site: &Site, sheet: &mut Sheet) {
    let lag = site.profile.download().and_then(|server| {
        let server = server.named(PROGRAM);
        let mut client = server.connect_within(server.database(), probe::PATIENCE)?;
        let row = client.query_one(crate::sql!("watch/replica_lag.sql"), &[]).cannot("ask the replica")?;
        Ok((row.get::<_, bool>(0), row.get::<_, Option<f64>>(1)))
    });
    let limit = site.profile.watch.replica.as_secs_f64();
    match lag {
        Err(e) => sheet.add("replica", State::Critical, e.to_string()),
        Ok((false, _)) => sheet.add("replica", State::Warning, "read_url is no replica (it is not in recovery)"),
        Ok((true, None)) => sheet.add("replica", State::Warning, "it has replayed nothing since it was started"),
        Ok((true, Some(seconds))) => {
            let measure = Measure::new("replica_lag_seconds", Unit::Seconds, seconds)
                .above(Some(limit), Some(site.profile.limits.max_age.as_secs_f64()));
            sheet.add("replica", measure.state(), format!("{seconds:.0} s behind the primary")).measures([measure])
        }
    }
    .hint("snapshots are read from it: what it lacks, the standby lacks too. Mend replication, or take read_url out.");
}

//! `his-watch`: if the HIS died now, could we run, and if not, why?
//!
//! Every check asks whoever knows: the databases ([`primary`], [`standby`], [`numbers`], [`expiry`]), the store
//! ([`store`]), the plan and the drills ([`practised`]), the network ([`apart`]), the PgBouncers of the windows
//! ([`bouncers`]). A [`probe`] tells a slow server from a hung
//! one from a dead one, and takes two independent signals before it says dead. [`usual`] knows how fast the primary
//! usually answers, by the [`memory`] of earlier runs. [`verdict`] puts it together; [`show`] prints it for people, Nagios and Prometheus.
//!
//! It changes nothing but its own memory of answer times, and never switches by itself.

mod apart;
mod bouncers;
mod cli;
mod expiry;
mod memory;
mod numbers;
mod practised;
mod primary;
mod probe;
mod sheet;
mod show;
mod standby;
mod store;
mod usual;
mod verdict;

pub use cli::{Cli, main};
pub use sheet::{Check, Measure, Sheet, State, Unit};
pub use verdict::{Readiness, Verdict};

use crate::cli::{Site, Talk};
use crate::db;
use probe::Answer;
use std::time::Duration;

/// Sessions of his-watch are named so; a move of his-switch leaves them alone.
const PROGRAM: &str = "his-watch";

/// No server and no mirror is waited for longer, whatever state it is in: the run must fit into a minute.
const LIMIT: Duration = Duration::from_secs(10);

/// What the checks found.
pub struct Seen {
    pub checks: Vec<Check>,
    pub verdict: Verdict,
}

/// Looks at everything, at once.
pub fn look(site: &Site) -> crate::Result<Seen> {
    let primary_server = site.profile.primary()?.named(PROGRAM);
    let standby_server = site.profile.standby()?.named(PROGRAM);
    let (primary_answer, standby_answer) = std::thread::scope(|scope| {
        let (p, s) = (&primary_server, &standby_server);
        let primary = scope.spawn(move || probe::probe(p));
        let standby = scope.spawn(move || probe::probe(s));
        (
            primary.join().unwrap_or(Answer::Unsure("the probe ended".into())),
            standby.join().unwrap_or(Answer::Unsure("the probe ended".into())),
        )
    });
    let heard = primary::heard_by_the_replica(site, &primary_answer);
    let mut sheet = Sheet::default();
    primary::reachable(&mut sheet, &primary_answer, &standby_answer, heard);
    usual::answer_time(site, &mut sheet, &primary_answer);
    standby::reachable(&mut sheet, &standby_answer);

    let (on_primary, on_standby) = (primary_answer.seconds().is_some(), standby_answer.seconds().is_some());
    // Only where the profile names one: a check is not shown of what a hospital does not have.
    let through_bouncers: &[&'static str] = if site.profile.bouncers.is_empty() { &[] } else { &["pgbouncer"] };
    let groups: [(&[&'static str], bool, Group); 8] = [
        (primary::NAMES, on_primary, primary::look),
        (standby::NAMES, on_standby, standby::look),
        (numbers::NAMES, on_standby, numbers::look),
        (expiry::NAMES, on_primary || on_standby, expiry::look),
        (store::NAMES, true, store::look),
        (&["units"], true, store::units),
        (practised::NAMES, true, practised::look),
        (through_bouncers, !through_bouncers.is_empty(), bouncers::look),
    ];
    let running: Vec<_> = groups
        .into_iter()
        .map(|(names, answers, group)| {
            let quiet = quiet(site);
            (names, std::thread::spawn(move || answers.then(|| db::within(LIMIT, move || collect(&quiet, group)))))
        })
        .collect();
    for (names, thread) in running {
        match thread.join() {
            Ok(Some(Some(found))) => sheet.take(found),
            Ok(Some(None)) => sheet.unknown(names, &format!("no answer within {} s", LIMIT.as_secs())),
            Ok(None) => sheet.unknown(names, "its server does not answer"),
            Err(_) => sheet.unknown(names, "the check broke off"),
        }
        sheet.unknown(names, "was not looked at");
    }
    apart::look(site, &mut sheet, [&primary_server, &standby_server], [on_primary, on_standby]);
    numbers::own_checks(site, &mut sheet, on_primary, on_standby);
    let checks = sheet.finish(&site.profile.watch.accept);
    let verdict = verdict::of(site, &checks, &primary_answer, &standby_answer)?;
    Ok(Seen { checks, verdict })
}

type Group = fn(&Site, &mut Sheet) -> crate::Result<()>;

/// What a group found, and why it went no further.
fn collect(site: &Site, group: Group) -> Sheet {
    let mut sheet = Sheet::default();
    if let Err(e) = group(site, &mut sheet) {
        sheet.broke_off(&e);
    }
    sheet
}

fn quiet(site: &Site) -> Site {
    Site { profile: site.profile.clone(), store: site.store.clone(), by: site.by.clone(), talk: Talk::silent() }
}

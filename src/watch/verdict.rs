//! What all checks say together, and what to do about it.

use super::probe::Answer;
use super::{Check, State};
use crate::cli::Site;
use crate::error::{Exit, Result};
use crate::store::Mode;

/// If the HIS died now, could we run?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Readiness {
    Ready,
    Degraded,
    NotReady,
}

impl Readiness {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Readiness::Ready => "READY",
            Readiness::Degraded => "DEGRADED",
            Readiness::NotReady => "NOT READY",
        }
    }

    /// As the head of a page says it in the site's language.
    #[must_use]
    pub fn shown(self, language: &str) -> String {
        let zh = match self {
            Readiness::Ready => "已就绪",
            Readiness::Degraded => "有缺陷",
            Readiness::NotReady => "未就绪",
        };
        if language == "zh-CN" { format!("{} ({zh})", self.name()) } else { self.name().to_owned() }
    }

    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Readiness::Ready => Exit::Done,
            Readiness::Degraded => Exit::NeedsPerson,
            Readiness::NotReady => Exit::Refused,
        }
    }
}

/// How much of the windows is hit, by what the servers say: the rule by which plans decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The primary serves: trouble at a window is that window's, or its line's.
    None,
    /// Some see it and some do not.
    Part,
    All,
}

#[derive(Debug, Clone)]
pub struct Verdict {
    pub readiness: Readiness,
    pub scope: Scope,
    pub advice: String,
}

pub(super) fn of(site: &Site, checks: &[Check], primary: &Answer, standby: &Answer) -> Result<Verdict> {
    let counted = || checks.iter().filter(|c| !c.accepted);
    let readiness = if counted().any(|c| c.needed && c.state == State::Critical) {
        Readiness::NotReady
    } else if counted().any(|c| c.state != State::Ok) {
        Readiness::Degraded
    } else {
        Readiness::Ready
    };
    let (scope, advice) = match site.store.state()?.mode {
        Mode::Normal => advise(readiness, primary, standby, checks),
        mode => (
            Scope::All,
            format!(
                "an emergency is on (mode '{mode}'): his-switch status and his-incident status say what comes next"
            ),
        ),
    };
    Ok(Verdict { readiness, scope, advice })
}

/// The rule of the plans: one workstation, swap the machine; part of the windows, both sides; all, switch.
fn advise(readiness: Readiness, primary: &Answer, standby: &Answer, checks: &[Check]) -> (Scope, String) {
    let way_out = if readiness == Readiness::NotReady {
        "the standby cannot be opened: his-switch paper --reason TEXT"
    } else {
        "his-switch standby --reason TEXT"
    };
    let slow = checks.iter().any(|c| c.name == "primary-time" && c.state != State::Ok);
    match primary {
        Answer::Dead(_) if standby.seconds().is_none() => (
            Scope::Part,
            "neither server can be reached from here: look at this machine's own line, and ask the windows, before anything else".to_owned(),
        ),
        Answer::Dead(_) => (Scope::All, format!("the primary is dead by two signals. If the windows say so too: {way_out}")),
        Answer::Hung => (Scope::All, format!("the primary hangs. Warn the windows, give it a minute, then: {way_out}; windows close and reopen their program")),
        Answer::Refuses(_) => (Scope::Part, format!("the primary runs and lets us not in; windows may still work. If they do not: {way_out}")),
        Answer::Unsure(_) => (Scope::Part, "the signs contradict each other: ask the windows, and look again in a minute".to_owned()),
        Answer::Query(_) if slow => (Scope::Part, "the HIS is slow: his-incident warn, look at the primary; switching is for when it stands still".to_owned()),
        Answer::Query(_) => (Scope::None, "the primary serves. One window in trouble: swap the machine. Several: their line; if it stays cut, his-switch standby --both-live for those".to_owned()),
    }
}

//! The result for people and for programs; [`nagios`] and [`prometheus`] for theirs.

pub mod nagios;
pub mod prometheus;

use super::{Check, Measure, Seen, State, Unit};
use crate::cli::Site;
use serde_json::{Value, json};
use std::fmt::Write;

/// A line a check, the worst first, and the verdict above them.
pub(super) fn text(site: &Site, seen: &Seen) -> String {
    let language = &site.profile.site.language;
    let mut page = format!("{}: {}\n\n", seen.verdict.readiness.shown(language), summary(&seen.checks));
    let mut checks: Vec<&Check> = seen.checks.iter().collect();
    let weight = |c: &Check| match (c.accepted, c.state) {
        (true, _) => 3,
        (_, State::Critical) => 0,
        (_, State::Warning) => 1,
        (_, State::Unknown) => 2,
        (_, State::Ok) => 4,
    };
    checks.sort_by_key(|c| weight(c));
    for check in checks {
        let _ = writeln!(page, "{:<9} {:<14} {}", word(check), check.name, check.text);
        if let Some(hint) = check.hint.as_ref().filter(|_| !check.accepted) {
            let _ = writeln!(page, "{:<24} -> {hint}", "");
        }
    }
    let _ = write!(page, "\n{}", seen.verdict.advice);
    page
}

fn word(check: &Check) -> &'static str {
    match check.state {
        State::Ok => "ok",
        _ if check.accepted => "accepted",
        State::Warning => "WARNING",
        State::Critical => "CRITICAL",
        State::Unknown => "UNKNOWN",
    }
}

fn summary(checks: &[Check]) -> String {
    let count = |state: State| checks.iter().filter(|c| c.state == state && !c.accepted).count();
    let accepted = checks.iter().filter(|c| c.accepted).count();
    let parts = [
        (count(State::Critical), "critical"),
        (count(State::Warning), "to be warned of"),
        (count(State::Unknown), "unknown"),
        (accepted, "accepted"),
    ];
    let told: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let all = checks.len();
    if told.is_empty() { format!("all {all} checks are well") } else { format!("{} of {all} checks", told.join(", ")) }
}

pub(super) fn json(seen: &Seen) -> Value {
    let measure = |m: &Measure| {
        let of = m.of.as_ref().map(|(label, value)| json!({ *label: value }));
        json!({ "name": m.name, "of": of, "value": m.value, "warn": m.warn, "critical": m.critical, "low": m.low })
    };
    let check = |c: &Check| {
        json!({
            "check": c.name, "state": c.state, "text": c.text, "hint": c.hint, "needed": c.needed, "accepted": c.accepted,
            "measures": c.measures.iter().map(measure).collect::<Vec<_>>(),
        })
    };
    json!({
        "verdict": seen.verdict.readiness.name(),
        "scope": seen.verdict.scope,
        "advice": seen.verdict.advice,
        "checks": seen.checks.iter().map(check).collect::<Vec<_>>(),
    })
}

/// Bytes as people say them.
#[must_use]
pub fn bytes(count: f64) -> String {
    indicatif::HumanBytes(to_whole(count)).to_string()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bytes, never below 0")]
fn to_whole(count: f64) -> u64 {
    count as u64
}

impl Unit {
    /// As Nagios writes it behind a figure.
    fn nagios(self) -> &'static str {
        match self {
            Unit::Seconds => "s",
            Unit::Bytes => "B",
            Unit::Count => "",
        }
    }
}

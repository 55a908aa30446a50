//! What is written down while looking: one [`Check`] a line, each in a [`State`], with what was measured.

use crate::error::Error;
use chrono::TimeDelta;

/// How one check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    Warning,
    Critical,
    /// It could not be looked at.
    Unknown,
}

/// What a figure is counted in; the metric's name ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Bytes,
    /// A bare count.
    Count,
}

/// One figure of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// As a metric without prefix: `primary_answer_seconds`, `numbers_left`.
    pub name: &'static str,
    /// What it is of, where there are several: label and value.
    pub of: Option<(&'static str, String)>,
    pub value: f64,
    pub unit: Unit,
    /// Where it turns; a figure that should not fall below has its limits as such.
    pub warn: Option<f64>,
    pub critical: Option<f64>,
    /// Low is bad.
    pub low: bool,
}

impl Measure {
    /// An age or a lag.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of an age")]
    pub fn age(name: &'static str, age: TimeDelta) -> Measure {
        Measure::new(name, Unit::Seconds, age.num_milliseconds() as f64 / 1000.0)
    }

    #[must_use]
    pub fn new(name: &'static str, unit: Unit, value: f64) -> Measure {
        Measure { name, of: None, value, unit, warn: None, critical: None, low: false }
    }

    /// Above these it turns.
    #[must_use]
    pub fn above(mut self, warn: Option<f64>, critical: Option<f64>) -> Measure {
        (self.warn, self.critical, self.low) = (warn, critical, false);
        self
    }

    /// Below these it turns.
    #[must_use]
    pub fn below(mut self, warn: Option<f64>, critical: Option<f64>) -> Measure {
        (self.warn, self.critical, self.low) = (warn, critical, true);
        self
    }

    #[must_use]
    pub fn of(mut self, label: &'static str, value: impl Into<String>) -> Measure {
        self.of = Some((label, value.into()));
        self
    }

    /// What the figure says by its limits.
    #[must_use]
    pub fn state(&self) -> State {
        let over = |limit: Option<f64>| limit.is_some_and(|l| if self.low { self.value < l } else { self.value > l });
        if over(self.critical) {
            State::Critical
        } else if over(self.warn) {
            State::Warning
        } else {
            State::Ok
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    pub name: String,
    pub state: State,
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Without it the windows could not run on the standby: critical here is NOT READY.
    pub needed: bool,
    /// The hospital knows and lives with it; shown, not counted.
    pub accepted: bool,
    pub measures: Vec<Measure>,
}

/// All checks of one run, in the order in which they were written.
#[derive(Debug, Default)]
pub struct Sheet {
    checks: Vec<Check>,
    broke_off: Option<String>,
}

/// A check that is being written; nothing is lost when a later line is.
pub struct Line<'a>(&'a mut Check);

impl Line<'_> {
    pub fn hint(self, hint: impl Into<String>) -> Self {
        if self.0.state != State::Ok {
            self.0.hint = Some(hint.into());
        }
        self
    }

    /// The standby cannot run without it.
    pub fn needed(self) -> Self {
        self.0.needed = true;
        self
    }

    pub fn measures(self, measures: impl IntoIterator<Item = Measure>) -> Self {
        self.0.measures.extend(measures);
        self
    }
}

impl Sheet {
    pub fn add(&mut self, name: impl Into<String>, state: State, text: impl Into<String>) -> Line<'_> {
        let (name, text) = (name.into(), text.into());
        let check = Check { name, state, text, hint: None, needed: false, accepted: false, measures: Vec::new() };
        self.checks.push(check);
        let last = self.checks.len() - 1;
        Line(&mut self.checks[last])
    }

    /// Of several findings of one check the worst, all of them named; `fine` when there is none.
    pub fn add_all(&mut self, name: &'static str, findings: &[(State, String)], fine: impl Into<String>) -> Line<'_> {
        let worst = findings.iter().map(|(s, _)| *s).max().unwrap_or(State::Ok);
        let texts: Vec<&str> = findings.iter().filter(|(s, _)| *s != State::Ok).map(|(_, t)| t.as_str()).collect();
        self.add(name, worst, if texts.is_empty() { fine.into() } else { texts.join("; ") })
    }

    pub(super) fn broke_off(&mut self, error: &Error) {
        self.broke_off = Some(error.to_string());
    }

    pub(super) fn take(&mut self, other: Sheet) {
        self.checks.extend(other.checks);
        if other.broke_off.is_some() {
            self.broke_off = other.broke_off;
        }
    }

    /// Notes those of `names` that nothing was written of, so that a check never vanishes.
    pub(super) fn unknown(&mut self, names: &[&'static str], why: &str) {
        let why = self.broke_off.take().unwrap_or_else(|| why.to_owned());
        for name in names {
            if !self.checks.iter().any(|c| c.name == *name) {
                self.add(*name, State::Unknown, why.clone());
            }
        }
    }

    pub(super) fn finish(self, accepted: &[String]) -> Vec<Check> {
        let mut checks = self.checks;
        for check in &mut checks {
            check.accepted = check.state != State::Ok && accepted.contains(&check.name);
        }
        checks
    }
}

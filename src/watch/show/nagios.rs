//! The result as a Nagios plugin gives it (Monitoring Plugins Development Guidelines): one line, performance data behind a
//! bar, and 0, 1, 2 or 3.

use crate::error::{Error, Exit};
use crate::watch::{Check, Measure, Seen, State};

/// The line, and the code. The codes of plugins are not ours: 1 is a warning, 2 critical, 3 unknown.
#[must_use]
pub fn line(seen: &Seen) -> (String, Exit) {
    let counted: Vec<&Check> = seen.checks.iter().filter(|c| !c.accepted && c.state != State::Ok).collect();
    let is = |state: State| counted.iter().any(|c| c.state == state);
    let exit = if is(State::Critical) {
        code(2)
    } else if is(State::Warning) {
        code(1)
    } else if is(State::Unknown) {
        code(3)
    } else {
        code(0)
    };
    let said = if counted.is_empty() {
        format!("all {} checks are well", seen.checks.len())
    } else {
        let mut sorted = counted;
        sorted.sort_by_key(|c| match c.state {
            State::Critical => 0,
            State::Warning => 1,
            _ => 2,
        });
        sorted.iter().map(|c| format!("{}: {}", c.name, c.text)).collect::<Vec<_>>().join("; ")
    };
    let figures: Vec<String> = seen.checks.iter().flat_map(|c| &c.measures).map(figure).collect();
    (format!("HIS {} - {} | {}", seen.verdict.readiness.name(), plain(&said), figures.join(" ")), exit)
}

/// What a plugin says when it could not look.
#[must_use]
pub fn unknown(error: &Error) -> (String, Exit) {
    (format!("HIS UNKNOWN - {}", plain(&error.to_string())), code(3))
}

/// The exit of this number, whatever it means to our own scripts.
fn code(number: u8) -> Exit {
    [Exit::Done, Exit::Failed, Exit::Usage, Exit::NeedsPerson]
        .into_iter()
        .find(|e| e.code() == number)
        .unwrap_or(Exit::NeedsPerson)
}

/// A bar begins the performance data, and a line break a second line: neither may be in the text.
fn plain(text: &str) -> String {
    text.replace('|', "/").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `'label'=value[UOM];warn;crit`. A limit that a figure should not fall below is the range `limit:`.
fn figure(m: &Measure) -> String {
    let of = m.of.as_ref().map(|(_, value)| format!("_{value}")).unwrap_or_default();
    let label: String = format!("{}{of}", m.name).chars().filter(|c| !matches!(c, '\'' | '=' | '|')).collect();
    let limit = |l: Option<f64>| l.map(|l| if m.low { format!("{l}:") } else { l.to_string() }).unwrap_or_default();
    format!("'{label}'={}{};{};{}", m.value, m.unit.nagios(), limit(m.warn), limit(m.critical))
}

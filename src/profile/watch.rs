//! `[watch]`, `[[check]]` and `[plan]`: what his-watch looks at, and where the emergency plan is.

use super::reader::{Mistakes, Section};
use crate::db::Side;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeTable;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Limits of his-watch beside those of `[limits]`.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Least free space of store and mirror, in percent.
    pub disk: i64,
    /// Largest difference of the clocks.
    pub clock: Duration,
    /// Least part of a number block that must be left, in percent.
    pub numbers: i64,
    /// A lock of ours that is held longer belongs to a run that is stuck.
    pub lock: Duration,
    /// Units in no batch, or merged by nobody, for longer.
    pub units: Duration,
    pub offline_copy: Duration,
    pub restore_test: Duration,
    pub pack: Duration,
    pub drill: Duration,
    /// Since the plan was reviewed and a contact was confirmed.
    pub reviewed: Duration,
    /// A certificate or password that expires sooner.
    pub expires: Duration,
    /// Lag of `read_url` behind the primary.
    pub replica: Duration,
    /// Checks whose warnings the hospital knows and lives with: shown, not counted.
    pub accept: Vec<String>,
}

/// A question of the hospital's own: rows of a name and a number, each of which should not be below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    /// The file with the query.
    pub sql: PathBuf,
    pub on: Side,
    /// Below: a warning.
    pub warn: i64,
    /// Below: critical.
    pub critical: i64,
}

/// Where the emergency plan is, and what takes its notices.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub file: Option<PathBuf>,
    /// An executable that gets each notice on its standard input: SMS, chat robot.
    pub notice_hook: Option<PathBuf>,
}

pub(super) fn watch(mut s: Section) -> Watch {
    let watch = Watch {
        disk: s.percent("disk", 10),
        clock: s.duration("clock", Duration::from_secs(2)),
        numbers: s.percent("numbers", 20),
        lock: s.duration("lock", Duration::from_secs(1800)),
        units: s.duration("units", Duration::from_secs(300)),
        offline_copy: s.duration("offline_copy", 7 * DAY),
        restore_test: s.duration("restore_test", 31 * DAY),
        pack: s.duration("pack", DAY + DAY / 4),
        drill: s.duration("drill", 183 * DAY),
        reviewed: s.duration("reviewed", 365 * DAY),
        expires: s.duration("expires", 30 * DAY),
        replica: s.duration("replica", Duration::from_secs(60)),
        accept: s.texts("accept").unwrap_or_default(),
    };
    s.done();
    watch
}

pub(super) fn plan(mut s: Section, base: &Path) -> Plan {
    let plan =
        Plan { file: s.text("file").map(|f| base.join(f)), notice_hook: s.text("notice_hook").map(|f| base.join(f)) };
    s.done();
    plan
}

pub(super) fn checks<'t>(root: &DeTable<'t>, base: &Path, mistakes: &mut Mistakes<'t>) -> Vec<Check> {
    let mut list: Vec<Check> = Vec::new();
    for (table, offset) in super::parse::entries(root, "check") {
        let mut s = Section::new("[[check]]", table, offset, mistakes);
        let (name, file) = (s.required("name"), s.required("sql"));
        s.label = format!("[[check]] '{name}'");
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !plain {
            s.bad("name", "must be of small letters, digits and hyphens: it names a metric too");
        }
        if list.iter().any(|c| c.name == name) {
            s.bad("name", "is used twice");
        }
        let on = if s.choice("on", &["standby", "primary"]) == "primary" { Side::Primary } else { Side::Standby };
        let (warn, critical) = (s.whole("warn"), s.whole("critical"));
        if warn.is_none() && critical.is_none() {
            s.mistake("has neither 'warn' nor 'critical'");
        }
        let (warn, critical) = (warn.unwrap_or(i64::MIN), critical.unwrap_or(i64::MIN));
        list.push(Check { name, sql: base.join(file), on, warn: warn.max(critical), critical });
        s.done();
    }
    list
}

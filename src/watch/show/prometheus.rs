//! The result as metrics in a file for the node exporter's textfile collector.

use crate::error::{Cannot, Result};
use crate::watch::{Measure, Readiness, Seen, State};
use chrono::Utc;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What each metric is, without the prefix `his_`.
const HELP: &[(&str, &str)] = &[
    ("check_state", "State of a check of his-watch: 0 ok, 1 warning, 2 critical, 3 unknown."),
    ("check_accepted", "1 when the hospital lives with the state of this check."),
    ("readiness", "Whether the windows could work on the standby now: 0 ready, 1 degraded, 2 not ready."),
    ("watch_run_timestamp_seconds", "When his-watch last ran to its end."),
    ("primary_answer_seconds", "How long the primary took for a new session and a query."),
    ("standby_answer_seconds", "How long the standby took for a new session and a query."),
    ("clock_difference_seconds", "How far a server's clock is from this machine's."),
    ("replica_lag_seconds", "How far the replica that snapshots are read from is behind."),
    ("standby_data_age_seconds", "Age of the data that the standby would be opened with."),
    ("numbers_left", "Emergency numbers left in a block."),
    ("site_check", "A figure of one of the hospital's own checks."),
    ("units_unexported", "Units on the standby that are in no batch."),
    ("units_unmerged", "Units of the latest event that are in batches and not merged."),
    ("units_held", "Units of the latest event that wait for a person."),
    ("disk_free_bytes", "Free space of store and mirror."),
    ("offline_copy_age_seconds", "Age of the data of the latest offline copy."),
    ("print_pack_age_seconds", "Age of the latest print pack."),
    ("slips_ready", "Blank slips that lie ready in the print pack."),
    ("drill_age_seconds", "Time since the last drill."),
    ("restore_test_age_seconds", "Time since the last restore test."),
];

/// Writes the file in one piece, readable for the collector, whose user is another.
pub fn write(seen: &Seen, file: &Path) -> Result<()> {
    let doing = || format!("write the metrics '{}'", file.display());
    let dir = file.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Named so that the collector does not read it half written.
    let mut unfinished =
        tempfile::Builder::new().prefix(".his-watch").suffix(".tmp").tempfile_in(dir).cannot(doing())?;
    unfinished.write_all(text(seen).as_bytes()).cannot(doing())?;
    unfinished.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).cannot(doing())?;
    unfinished.persist(file).map_err(|e| e.error).cannot(doing())?;
    Ok(())
}

/// The exposition format: a HELP and a TYPE for each name, then its samples.
#[must_use]
pub fn text(seen: &Seen) -> String {
    let mut families: BTreeMap<&str, Vec<(String, f64)>> = BTreeMap::new();
    let mut add = |name, labels: String, value| families.entry(name).or_default().push((labels, value));
    for check in &seen.checks {
        let labels = format!("check=\"{}\"", escape(&check.name));
        let state = match check.state {
            State::Ok => 0.0,
            State::Warning => 1.0,
            State::Critical => 2.0,
            State::Unknown => 3.0,
        };
        add("check_state", labels.clone(), state);
        add("check_accepted", labels, if check.accepted { 1.0 } else { 0.0 });
        for m in &check.measures {
            add(m.name, labels_of(m), m.value);
        }
    }
    let readiness = match seen.verdict.readiness {
        Readiness::Ready => 0.0,
        Readiness::Degraded => 1.0,
        Readiness::NotReady => 2.0,
    };
    add("readiness", String::new(), readiness);
    add("watch_run_timestamp_seconds", String::new(), Utc::now().timestamp() as f64);
    let mut page = String::new();
    for (name, samples) in families {
        let help = HELP.iter().find(|(n, _)| *n == name).map_or("A figure of his-watch.", |(_, help)| help);
        let _ = writeln!(page, "# HELP his_{name} {help}\n# TYPE his_{name} gauge");
        for (labels, value) in samples {
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            let _ = writeln!(page, "his_{name}{labels} {value}");
        }
    }
    page
}

fn labels_of(m: &Measure) -> String {
    m.of.as_ref().map(|(label, value)| format!("{label}=\"{}\"", escape(value))).unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

//! What it prints for people, Nagios and Prometheus.

use std::fs;
use std::path::PathBuf;

use super::{look, well};
use crate::support::Program;

#[test]
fn the_page_begins_with_the_verdict_and_shows_the_worst_first_with_what_to_do() {
    let hospital = well();
    let page = hospital.work.run("his-watch", &[]).expect(0).stdout;
    assert!(page.starts_with("READY: 3 accepted of "), "{page}");
    assert!(page.contains("\nok        standby        answers in "), "{page}");
    assert!(page.contains("\naccepted  apart          primary, standby and store share this machine\n"), "{page}");
    hospital.standby.stop_fast();
    let page = hospital.work.run("his-watch", &[]).expect(4).stdout;
    assert!(page.starts_with("NOT READY: 1 critical, "), "{page}");
    let lines: Vec<&str> = page.lines().collect();
    assert!(lines[2].starts_with("CRITICAL  standby        cannot be reached ("), "{page}");
    assert!(lines[3].trim_start().starts_with("-> start its server; "), "{page}");
}

#[test]
fn nagios_gets_one_line_with_figures_and_its_own_codes() {
    let hospital = well();
    let line = |code: i32| {
        let ran = hospital.work.run("his-watch", &["--nagios"]).expect(code);
        assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.shown());
        assert_eq!(ran.stdout.matches('|').count(), 1, "{}", ran.shown());
        ran.stdout.trim().to_owned()
    };
    let ready = line(0);
    let (said, figures) = ready.split_once(" | ").unwrap();
    assert!(said.starts_with("HIS READY - all "), "{ready}");
    for figure in figures.split(' ') {
        let (label, rest) = figure.rsplit_once("'=").expect("a quoted label");
        assert!(label.starts_with('\'') && label.len() > 1, "{figure}");
        let parts: Vec<&str> = rest.split(';').collect();
        assert_eq!(parts.len(), 3, "value;warn;crit: {figure}");
        let number = parts[0].trim_end_matches(['s', 'B']);
        assert!(number.parse::<f64>().is_ok(), "{figure}");
        for limit in &parts[1..] {
            let limit = limit.trim_end_matches(':');
            assert!(limit.is_empty() || limit.parse::<f64>().is_ok(), "{figure}");
        }
    }
    assert!(figures.contains("'numbers_left_op.charge_id_seq'=100000;20000:;1000:"), "{figures}");
    fs::remove_file(hospital.work.path().join("plan.toml")).unwrap();
    assert!(line(1).starts_with("HIS DEGRADED - plan: "));
    hospital.primary.stop_fast();
    assert!(line(2).starts_with("HIS DEGRADED - primary: DEAD"));
    let ran = hospital.work.run("his-watch", &["--nagios", "--jason"]).expect(3);
    assert!(ran.stdout.starts_with("HIS UNKNOWN - error: unexpected argument '--jason'"), "{}", ran.shown());
    fs::write(hospital.work.config(), "format = 2").unwrap();
    let ran = hospital.work.run("his-watch", &["--nagios"]).expect(3);
    assert!(ran.stdout.starts_with("HIS UNKNOWN - cannot use the profile"), "{}", ran.shown());
    assert_eq!(ran.stdout.lines().count(), 1);
}

#[test]
fn promtool_finds_nothing_to_complain_of_and_the_file_says_what_the_page_says() {
    let hospital = well();
    hospital.primary.stop_fast();
    let file = hospital.work.path().join("his.prom");
    hospital.work.run("his-watch", &["-q", "--prometheus", "his.prom"]).expect(3);
    let text = fs::read_to_string(&file).unwrap();
    for line in ["his_check_state{check=\"primary\"} 2", "his_readiness 1", "his_check_accepted{check=\"apart\"} 1"] {
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
    for (check, state) in super::states(&look(&hospital)) {
        let number = ["ok", "warning", "critical", "unknown"].iter().position(|s| *s == state).unwrap();
        assert!(text.contains(&format!("his_check_state{{check=\"{check}\"}} {number}\n")), "{check} {state}: {text}");
    }
    let promtool = promtool();
    Program::at(&promtool).args(["check", "metrics"]).stdin(&text).run().expect(0).says("");
    let ran = Program::at(&promtool).args(["check", "metrics"]).stdin(&text).run();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    // It is not a promtool that finds nothing anywhere.
    let wrong = text.replace("# HELP his_readiness", "# HELPS his_readiness");
    Program::at(&promtool).args(["check", "metrics"]).stdin(&wrong).run().expect(3);
}

/// Debian's promtool: on PATH, or where tools/promtool.sh has put it.
fn promtool() -> PathBuf {
    let fetched = Program::at(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tools/promtool.sh")).run().expect(0);
    PathBuf::from(fetched.stdout.trim())
}

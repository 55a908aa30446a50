//! What a drill is judged by, and its score.

use super::record::{Criterion, Drill};
use super::scenario::Scenario;
use crate::profile;
use std::time::Duration;

/// Every criterion that the scenario has, with what was found; the score is the part of them that was met.
pub fn judge(drill: &mut Drill, of: &profile::Drill) {
    let m = &drill.measured;
    let mut criteria = Vec::new();
    let mut ask = |name: &str, passed: bool, found: String, expected: String| {
        criteria.push(Criterion { name: name.to_owned(), passed, found, expected });
    };
    let seconds = |s: Option<f64>| s.map_or_else(|| "-".to_owned(), |s| format!("{s:.1} s"));
    let within = |s: Option<f64>, limit: Duration| s.is_some_and(|s| s <= limit.as_secs_f64());
    let limit = |l: Duration| format!("at most {} s", l.as_secs());

    ask(
        "restore of the newest snapshot",
        m.restore_newest_seconds.is_some(),
        seconds(m.restore_newest_seconds),
        "restored and read back".to_owned(),
    );
    ask(
        "restore of the oldest snapshot",
        m.restore_oldest_seconds.is_some(),
        seconds(m.restore_oldest_seconds),
        "restored and read back".to_owned(),
    );
    if drill.scenario == Scenario::StandbyToo {
        ask(
            "move to paper",
            within(m.switch_seconds, of.switch_within),
            seconds(m.switch_seconds),
            limit(of.switch_within),
        );
        if let Some(slips) = m.slips {
            let found = format!("{slips} numbers");
            ask("every slip number ended", slips > 0, found, "handed out, and void at the end".to_owned());
        }
    } else {
        ask("switch", within(m.switch_seconds, of.switch_within), seconds(m.switch_seconds), limit(of.switch_within));
        if m.seen > 0 || m.first_commit_seconds.is_some() {
            ask(
                "first act on the standby",
                within(m.first_commit_seconds, of.switch_within),
                seconds(m.first_commit_seconds),
                limit(of.switch_within),
            );
        }
        let accounted = m.captured > 0 && m.captured == m.merged + m.held + m.rejected && m.captured >= m.seen;
        let found =
            format!("{} seen, {} captured, {} merged, {} held, {} lost", m.seen, m.captured, m.merged, m.held, m.lost);
        ask("nothing lost", m.lost == 0 && accounted, found, "captured = merged + held + rejected, 0 lost".to_owned());
        ask("balanced to the cent", m.balanced, if m.balanced { "yes" } else { "no" }.to_owned(), "yes".to_owned());
    }
    ask(
        "return to the primary",
        within(m.return_seconds, of.return_within),
        seconds(m.return_seconds),
        limit(of.return_within),
    );
    if let Some(refused) = m.damage_refused {
        let found = if refused { "refused" } else { "LOADED" };
        ask("a damaged source is refused", refused, found.to_owned(), "refused by max_shrink or max_change".to_owned());
    }
    let rows = m.rows_on_primary.map_or_else(|| "not known".to_owned(), |n| format!("{n} rows"));
    ask("nothing of it on the primary", m.rows_on_primary == Some(0), rows, "0 rows".to_owned());
    let (all, there) = (drill.participants.len(), drill.participants.iter().filter(|p| p.present).count());
    if all > 0 {
        ask("attendance", there == all, format!("{there} of {all}"), "everybody".to_owned());
    }
    let passed = criteria.iter().filter(|c| c.passed).count();
    drill.score = (drill.broke_off.is_none())
        .then(|| u32::try_from(passed * 100 / criteria.len().max(1)).unwrap_or(0))
        .or(Some(0));
    drill.criteria = criteria;
}

//! Which generation an opening takes: never one that would forget what was merged, and an old one only when told so.

use crate::clock;
use crate::error::{Error, Result};
use crate::profile;
use crate::standby::{CLOSED_DATABASE, Generation};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// Why this generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Never opened, and knows the last merge.
    Fresh,
    /// Already written in this event.
    SameEvent,
    /// Written in an earlier event, and reopened because `--accept-stale` said so.
    Written,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub generation: Generation,
    pub why: Why,
}

/// What the choice depends on beside the generations.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub site: &'a profile::Site,
    /// The generation of the running event, if it has one.
    pub of_this_event: Option<u64>,
    /// Highest run of the merge ledger that the store has seen.
    pub merge_run: u64,
    pub max_age: Duration,
    pub now: DateTime<Utc>,
    pub accept_stale: bool,
}

/// Chooses among `all` generations of the standby.
pub fn choose(all: &[Generation], standby: &str, asked: Asked<'_>) -> Result<Choice> {
    let usable = |g: &&Generation| g.verified && !g.retired && g.number != CLOSED_DATABASE;
    if let Some(number) = asked.of_this_event {
        return match all.iter().find(|g| g.number == number) {
            Some(g) => Ok(Choice { generation: g.clone(), why: Why::SameEvent }),
            None => Err(Error::refused(
                "open the standby",
                format!("generation {number}, which this event was written in, is not on the standby server"),
            )
            .hint(
                "bring that server's data back; if it is lost for good: his-switch paper --standby-lost --why TEXT.",
            )),
        };
    }
    let fresh = all
        .iter()
        .filter(usable)
        .filter(|g| g.opened_event.is_none() && g.ledger_run >= asked.merge_run)
        .max_by_key(|g| g.number);
    if let Some(g) = fresh {
        let age = g.taken_at.map_or(TimeDelta::MAX, |at| asked.now - at);
        let limit = TimeDelta::from_std(asked.max_age).unwrap_or(TimeDelta::MAX);
        if age > limit && !asked.accept_stale {
            let until = g.taken_at.map_or_else(
                || "its data has no time".to_owned(),
                |at| {
                    format!(
                        "its data ends at {}, {} ago",
                        clock::time_of_day(asked.site, at, asked.now),
                        clock::length(age)
                    )
                },
            );
            return Err(Error::refused(
                format!("open generation {}", g.number),
                format!("{until} (max_age is {})", clock::length(limit)),
            )
            .hint(
                "run the same command with --accept-stale if that data is better than paper; else: his-switch paper.",
            ));
        }
        return Ok(Choice { generation: g.clone(), why: Why::Fresh });
    }
    let written = all.iter().filter(usable).filter(|g| g.opened_event.is_some());
    let current = |g: &Generation| g.database == standby;
    let Some(g) = written.max_by_key(|g| (current(g), g.number)) else {
        let older = all.iter().filter(usable).max_by_key(|g| g.number);
        let reason = match older {
            Some(g) => format!(
                "generation {} was loaded from a snapshot older than the last merge (run {}, expected at least {})",
                g.number, g.ledger_run, asked.merge_run
            ),
            None => "no generation is loaded".to_owned(),
        };
        return Err(Error::refused("open the standby", reason)
            .hint("run his-snapshot and his-load-standby while the primary is there; without it: his-switch paper."));
    };
    if !asked.accept_stale {
        return Err(Error::refused(
            "open the standby",
            format!(
                "generation {} was written in event {} and nothing newer is loaded",
                g.number,
                g.opened_event.as_deref().unwrap_or_default()
            ),
        )
        .hint("run his-snapshot and his-load-standby; if the primary is out, --accept-stale reopens the written generation with its queue kept, or go on with: his-switch paper."));
    }
    Ok(Choice { generation: g.clone(), why: Why::Written })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;
    use crate::standby::Gate;

    fn generation(number: u64, run: u64, minutes_old: i64, opened: Option<&str>) -> Generation {
        let now = now();
        Generation {
            database: format!("his_g{number}"),
            number,
            site: "01".to_owned(),
            snapshot: Some("s".to_owned()),
            snapshot_sha256: None,
            taken_at: Some(now - TimeDelta::minutes(minutes_old)),
            ledger_run: run,
            primary_system: None,
            rows: 0,
            loaded_at: now,
            verified: true,
            retired: false,
            opened_event: opened.map(str::to_owned),
            rolled_back: None,
            gate: Gate::Closed,
            epoch: 0,
        }
    }

    fn now() -> DateTime<Utc> {
        "2026-11-22T02:00:00Z".parse().unwrap()
    }

    fn chosen(
        all: &[Generation],
        merge_run: u64,
        of_this_event: Option<u64>,
        accept_stale: bool,
    ) -> Result<(u64, Why)> {
        let site = profile::Site {
            name: "x".to_owned(),
            code: "01".to_owned(),
            timezone: "Asia/Shanghai".to_owned(),
            language: "en".to_owned(),
        };
        let max_age = Duration::from_secs(600);
        let asked = Asked { site: &site, of_this_event, merge_run, max_age, now: now(), accept_stale };
        choose(all, "his", asked).map(|c| (c.generation.number, c.why))
    }

    #[test]
    fn the_newest_generation_that_was_never_opened_and_knows_the_last_merge_is_taken() {
        let all = [generation(1, 0, 9, None), generation(2, 3, 5, None), generation(3, 3, 4, Some("01-0001"))];
        assert_eq!(chosen(&all, 3, None, false).unwrap(), (2, Why::Fresh));
    }

    #[test]
    fn old_data_wants_accept_stale_and_the_refusal_says_until_when() {
        let all = [generation(1, 0, 11, None)];
        let error = chosen(&all, 0, None, false).unwrap_err();
        assert_eq!(error.exit(), Exit::Refused);
        assert!(error.to_string().contains("its data ends at 09:49, 11 min ago (max_age is 10 min)"), "{error}");
        assert!(error.hint_text().contains("--accept-stale"));
        assert_eq!(chosen(&all, 0, None, true).unwrap(), (1, Why::Fresh));
    }

    #[test]
    fn a_fresh_generation_older_than_the_last_merge_is_never_taken() {
        let all = [generation(1, 0, 5, Some("01-0001")), generation(2, 1, 5, None)];
        assert_eq!(chosen(&all, 2, None, true).unwrap(), (1, Why::Written));
        assert_eq!(chosen(&all, 2, None, false).unwrap_err().exit(), Exit::Refused);
        let error = chosen(&all[1..], 2, None, true).unwrap_err();
        assert!(error.to_string().contains("older than the last merge"), "{error}");
    }

    #[test]
    fn what_this_event_has_written_is_reopened_whatever_its_age() {
        let all = [generation(1, 0, 500, Some("01-0001")), generation(2, 5, 1, None)];
        assert_eq!(chosen(&all, 5, Some(1), false).unwrap(), (1, Why::SameEvent));
        assert_eq!(chosen(&all[1..], 5, Some(1), true).unwrap_err().exit(), Exit::Refused);
    }

    #[test]
    fn neither_the_empty_database_nor_one_rolled_back_nor_one_unverified_is_taken() {
        let mut all = [generation(0, 0, 1, None), generation(1, 0, 1, None), generation(2, 0, 1, None)];
        all[1].retired = true;
        all[2].verified = false;
        let error = chosen(&all, 0, None, true).unwrap_err();
        assert!(error.to_string().contains("no generation is loaded"), "{error}");
    }
}

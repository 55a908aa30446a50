//! Round trips under traffic: whatever befalls the primary, no window is ever on the wrong side and nothing is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Hospital, SOON};
use crate::support::workplace::DB;
use crate::support::{Attempt, Mode, Outcome, Proxy, aloud, wait_until};

/// What befalls the primary.
#[derive(Clone, Copy, Debug)]
enum Bad {
    Killed,
    Alive,
    Frozen,
    Swallowed,
    BackByItself,
    SnapshotStuck,
}

const DAYS: [Bad; 6] = [Bad::Killed, Bad::Alive, Bad::Frozen, Bad::Swallowed, Bad::BackByItself, Bad::SnapshotStuck];

/// A commit on one side while the windows belong on the other, by the moments between which they certainly do.
fn wrong_side(log: &[Attempt], port: u16, from: Duration, to: Duration) -> Vec<&Attempt> {
    log.iter()
        .filter(|a| a.port == Some(port) && a.outcome == Outcome::Committed && a.began > from && a.ended < to)
        .collect()
}

#[test]
fn round_trips_under_traffic_lose_nothing_double_nothing_and_never_split_the_windows() {
    let rounds: usize = std::env::var("HIS_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(DAYS.len());
    let mut hospital = Hospital::new();
    let proxy = Proxy::unix(&hospital.primary);
    hospital.work.set("primary", "url", &format!("\"{}\"", proxy.url(DB)));
    let string = crate::support::client::multi_host(
        &[
            (hospital.standby.socket_dir().to_string_lossy().into_owned(), hospital.standby.port()),
            (proxy.host(), proxy.port()),
        ],
        "his_app",
        DB,
    );
    let windows = crate::support::Windows::new(&string, super::CHARGE)
        .clients(10)
        .pause(Duration::from_millis(30))
        .limit(Duration::from_secs(3))
        .open();
    let mut away: Vec<(Duration, Duration)> = Vec::new();
    let mut home: Vec<(Duration, Duration)> = Vec::new();
    let mut returned = Duration::ZERO;
    let mut slowest: BTreeMap<String, f64> = BTreeMap::new();
    for round in 0..rounds {
        let day = DAYS[round % DAYS.len()];
        if round > 0 {
            hospital.load();
        }
        windows.wait_for_every_client(&hospital.primary);
        let mut stuck = None;
        match day {
            Bad::Killed | Bad::BackByItself => hospital.primary.stop_immediate(),
            Bad::Frozen => hospital.primary.freeze(),
            Bad::Swallowed => proxy.set(Mode::Swallow),
            Bad::SnapshotStuck => {
                let run = hospital.work.start("his-snapshot", &[]);
                wait_until("it has begun", SOON, || {
                    hospital.status()["locks"].as_array().is_some_and(|l| !l.is_empty())
                });
                run.freeze();
                stuck = Some(run);
            }
            Bad::Alive => {}
        }
        home.push((returned, windows.elapsed()));
        let opened = hospital.switch(0, &["standby", "--reason", &format!("{day:?}")]);
        let left = windows.elapsed();
        assert_eq!(opened["mode"], "standby", "round {round} {day:?}");
        let worst = slowest.entry(format!("open, {day:?}")).or_default();
        *worst = worst.max(opened["seconds"].as_f64().unwrap());
        windows.wait_for_every_client(&hospital.standby);
        match day {
            Bad::BackByItself => hospital.primary.start_again(),
            Bad::Frozen => hospital.primary.thaw(),
            Bad::Swallowed => proxy.set(Mode::Pass),
            _ => {}
        }
        hospital.work.run("his-export-queue", &["-q"]).expect(0);
        windows.wait_for_every_client(&hospital.standby);
        if matches!(day, Bad::Killed) {
            hospital.primary.start_again();
        }
        // Half of the time over paper.
        if round % 2 == 1 {
            hospital.switch(0, &["paper"]);
        }
        let before = windows.elapsed();
        away.push((left, before));
        let back = hospital.switch(0, &["primary"]);
        returned = windows.elapsed();
        let worst = slowest.entry("return".to_owned()).or_default();
        *worst = worst.max(back["seconds"].as_f64().unwrap());
        let units = &back["units"];
        assert_eq!(
            (&back["balanced"], &units["captured"]),
            (&serde_json::json!(true), &units["merged"]),
            "round {round} {day:?}"
        );
        windows.wait_for_every_client(&hospital.primary);
        eprintln!("round {round} {day:?}: opened in {} s, returned in {} s", opened["seconds"], back["seconds"]);
        if let Some(mut run) = stuck {
            assert!(!run.running(), "the snapshot was ended");
        }
    }
    let log = windows.close();
    for (left, back) in &away {
        // A session that was stuck on a frozen or silent primary commits there when it thaws; it began before.
        assert!(wrong_side(&log, 54_321, *left, *back).is_empty(), "{:#?}", wrong_side(&log, 54_321, *left, *back));
    }
    for (since, until) in &home {
        assert!(wrong_side(&log, 54_322, *since, *until).is_empty(), "{:#?}", wrong_side(&log, 54_322, *since, *until));
    }
    let certain = log.iter().filter(|a| a.outcome == Outcome::Committed).count();
    let unknown = log.iter().filter(|a| matches!(a.outcome, Outcome::Unknown | Outcome::Stuck)).count();
    let there = hospital.charges_on_primary();
    assert!((certain..=certain + unknown).contains(&there), "{there} there, {certain} certain, {unknown} unknown");
    let doubled = "SELECT who FROM op.charge WHERE who LIKE '%/%' GROUP BY who HAVING count(*) > 1";
    assert_eq!(hospital.primary.rows(DB, doubled), [""; 0]);
    aloud(&format!("{rounds} rounds, {certain} commits, {unknown} unknown; slowest in seconds: {slowest:?}"));
}

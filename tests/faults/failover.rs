//! The primary fails over to a streaming replica while it is merged into.

use std::thread::sleep;
use std::time::Duration;

use super::{CHARGES, busy, charges, opened};
use crate::opened::Opened;
use crate::support::workplace::DB;
use crate::support::{Proxy, Replica, wait_until};

const UNITS: usize = 4000;

/// A standby with work on it, exported, and a replica of the primary that its address can be led to.
fn replicated() -> (Opened, Replica, Proxy) {
    let mut o = opened();
    busy(&o, UNITS);
    o.work.run("his-export-queue", &[]).expect(0);
    let replica = Replica::of(&o.primary);
    let line = Proxy::unix(&o.primary);
    o.work.set("primary", "url", &format!("\"{}\"", line.url(DB)));
    (o, replica, line)
}

fn fail_over(o: &Opened, replica: &Replica, line: &Proxy) {
    o.primary.stop_immediate();
    replica.promote();
    line.lead_to(replica.socket());
}

/// Merged to the end, each unit once.
fn require_whole(o: &Opened, replica: &Replica, what: &str) {
    o.work.run("his-merge", &["--early"]).expect(0);
    assert_eq!(replica.value(CHARGES), charges(UNITS), "{what}");
    let ledger = "SELECT status, count(*), (SELECT sum(amount) FROM his_emergency.unit_money) FROM his_emergency.unit GROUP BY 1";
    assert_eq!(replica.value(ledger), format!("merged|{UNITS}|{}.00", UNITS * 125 / 100), "{what}");
    let again = o.work.json(0, "his-merge", &["--early"]);
    assert_eq!((&again["new"]["merged"], &again["balanced"]), (&0.into(), &true.into()), "{what}");
}

#[test]
fn p7_a_failover_in_the_middle_of_a_merge_to_a_replica_that_has_everything_doubles_and_loses_nothing() {
    let mut disturbed = 0;
    for moment in [100, 300, 500, 700, 900, 1200] {
        let (o, replica, line) = replicated();
        o.primary.execute(DB, "ALTER SYSTEM SET synchronous_standby_names = '*'");
        o.primary.execute(DB, "SELECT pg_reload_conf()");
        let merging = o.work.start("his-merge", &["--early"]);
        sleep(Duration::from_millis(moment));
        fail_over(&o, &replica, &line);
        let ran = merging.wait();
        assert!(matches!(ran.code, 0 | 6), "after {moment} ms: {}", ran.shown());
        disturbed += usize::from(ran.code == 6);
        require_whole(&o, &replica, &format!("after {moment} ms"));
    }
    assert!(disturbed >= 2, "only {disturbed} merges were in the middle of it");
}

#[test]
fn p7_a_replica_that_lacks_the_end_of_a_merge_gets_it_again() {
    let mut lacked = 0;
    for merged in [1, 1000, 2500] {
        let (o, replica, line) = replicated();
        let merging = o.work.start("his-merge", &["--early"]);
        // By what it has and not by the clock: one that does not even know that a merge began is refused, and rightly.
        let units = "SELECT count(*) FROM his_emergency.unit";
        let has = || replica.try_value(units).and_then(|n| n.parse().ok()).unwrap_or(0);
        wait_until("the replica has so many units", Duration::from_secs(60), || has() >= merged);
        // It hears no more of the primary, which goes on to the end.
        replica.value("ALTER SYSTEM SET primary_conninfo = ''");
        replica.value("SELECT pg_reload_conf()");
        merging.wait().expect(0);
        assert_eq!(o.primary.value(DB, CHARGES), charges(UNITS));
        fail_over(&o, &replica, &line);
        lacked += usize::from(replica.value(CHARGES) != charges(UNITS));
        require_whole(&o, &replica, &format!("after {merged} units"));
    }
    assert!(lacked > 0, "no replica lacked anything");
}

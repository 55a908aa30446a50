//! Snapshots that are downloaded from a streaming replica.

use super::{Campus, SCHEMA};
use crate::support::workplace::DB;
use crate::support::{Cluster, Kind, Proxy, Replica, assert_same_tables};
use serde_json::{Value, json};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A primary with a replica that is downloaded from, a standby, and deltas.
fn replicated() -> (Cluster, Replica, Campus) {
    let primary = Cluster::start(Kind::Primary);
    primary.create_database(DB);
    primary.execute(DB, SCHEMA);
    let replica = Replica::of(&primary);
    // One that was started a moment ago cannot tell yet up to when it knows what was committed, and is refused.
    let knows = "SELECT pg_last_xact_replay_timestamp() IS NOT NULL OR EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming' AND pg_last_wal_replay_lsn() >= latest_end_lsn)";
    crate::support::wait_until("it streams", Duration::from_secs(60), || replica.value(knows) == "t");
    let mut campus = Campus::new(&primary, Kind::Standby, "01", 900_000);
    campus.work.set("primary", "read_url", &format!("\"{}\"", replica.url()));
    campus.work.set("store", "full_every", "\"24h\"");
    (primary, replica, campus)
}

fn taken(campus: &Campus, kind: &str) -> Value {
    let ran = campus.work.run("his-snapshot", &["--json"]).expect(0);
    assert_eq!(ran.json()["kind"], kind, "{}", ran.shown());
    ran.json()
}

fn snapshots(campus: &Campus) -> usize {
    fs::read_dir(campus.work.store().join("snapshots")).map_or(0, Iterator::count)
}

/// Says so also when a test fails, or the one who writes would never end.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn full_snapshots_and_deltas_of_a_replica_are_exact_while_the_primary_is_written() {
    let (primary, replica, mut campus) = replicated();
    campus.work.set("limits", "max_shrink", "100");
    campus.work.set("limits", "max_change", "100");
    // A transaction that is open over several snapshots, with parts of its own.
    let mut open = primary.client(DB);
    open.batch_execute("BEGIN; INSERT INTO op.patient (name) VALUES ('open'); SAVEPOINT a; UPDATE op.patient SET phone = 'sub' WHERE id = 5; RELEASE a")
        .expect("written");
    let done = AtomicBool::new(false);
    let whole =
        "SELECT count(*) FROM op.charge c WHERE total <> (SELECT sum(amount) FROM op.payment WHERE charge_id = c.id)";
    thread::scope(|scope| {
        let _done = Done(&done);
        scope.spawn(|| {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                n += 1;
                primary.execute(
                    DB,
                    &format!(
                        "BEGIN; WITH c AS (INSERT INTO op.charge (registration_id, total) VALUES (1 + {n} % 50, {n}.25) RETURNING id, total)
                         INSERT INTO op.payment SELECT id, 1, total FROM c; UPDATE op.patient SET phone = 'n{n}' WHERE id = 10 + {n} % 200;
                         DELETE FROM op.payment WHERE charge_id = {n} - 40; DELETE FROM op.charge WHERE id = {n} - 40; COMMIT"
                    ),
                );
            }
        });
        for (n, kind) in ["full", "delta", "delta", "delta"].iter().enumerate() {
            taken(&campus, kind);
            campus.load();
            assert_eq!(campus.standby.value("his_g1", whole), "0");
            if n == 1 {
                open.batch_execute("COMMIT").expect("committed");
            }
        }
    });
    replica.catch_up(&primary);
    taken(&campus, "delta");
    campus.load();
    assert_same_tables((&primary, DB), (&campus.standby, "his_g1"), &[]);
}

#[test]
fn a_replica_that_lags_never_puts_older_data_in_the_place_of_newer() {
    let (primary, replica, mut campus) = replicated();
    let own = campus.work.config();
    let replicas = fs::read_to_string(&own).expect("a profile");
    // It knows of one commit at least.
    primary.execute(DB, "UPDATE op.patient SET phone = '0' WHERE id = 1");
    replica.catch_up(&primary);
    replica.value("SELECT pg_wal_replay_pause()");
    primary.execute(DB, "INSERT INTO op.patient (name) VALUES ('newer')");
    campus.work.edit(|p| {
        p.unset("primary", "read_url");
    });
    let first = taken(&campus, "full");
    // Now from the replica, which does not have that patient.
    fs::write(&own, replicas).expect("written");
    for full in [&[][..], &["--full"]] {
        let refused = campus.work.run("his-snapshot", full).expect(4);
        let refused = refused.says(&format!(
            "this replica has not come as far as the snapshot '{}'",
            first["snapshot"].as_str().expect("an id")
        ));
        assert!(refused.hint().contains("caught up"), "{}", refused.hint());
    }
    assert_eq!(snapshots(&campus), 1);
    replica.value("SELECT pg_wal_replay_resume()");
    replica.catch_up(&primary);
    taken(&campus, "full");
    campus.load();
    assert_eq!(campus.standby.value("his_g1", "SELECT count(*) FROM op.patient WHERE name = 'newer'"), "1");
}

#[test]
fn what_the_log_of_the_primary_ends_on_a_replica_is_said_and_leaves_nothing_and_the_next_run_takes_it() {
    let (primary, replica, campus) = replicated();
    primary.execute(DB, "INSERT INTO op.patient (name, phone) SELECT 'p' || i, '1' FROM generate_series(1, 100000) i");
    replica.catch_up(&primary);
    replica.set("max_standby_streaming_delay", "50ms");
    let done = AtomicBool::new(false);
    let mut ended = 0;
    thread::scope(|scope| {
        let _done = Done(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                primary.execute(DB, "DELETE FROM op.payment; INSERT INTO op.charge (registration_id, total) VALUES (1, 1); UPDATE op.patient SET phone = phone || '1' WHERE id % 100 = 3");
                primary.execute(DB, "VACUUM op.patient");
            }
        });
        for _ in 0..12 {
            let ran = campus.work.run("his-snapshot", &["--full"]);
            if ran.code != 0 {
                let ran = ran.expect(4).says("what the primary did conflicts with reading");
                assert!(ran.hint().contains("max_standby_streaming_delay"), "{}", ran.hint());
                ended += 1;
            }
        }
    });
    assert!(ended >= 2, "only {ended} of 12 met the log");
    assert_eq!(snapshots(&campus), 12 - ended);
    replica.catch_up(&primary);
    campus.work.run("his-snapshot", &["--full"]).expect(0);
    campus.load();
    assert_same_tables((&primary, DB), (&campus.standby, "his_g1"), &[]);
}

#[test]
fn after_a_promotion_the_next_snapshot_is_a_full_one_also_of_a_replica_that_follows_the_new_primary() {
    let (primary, promoted, mut campus) = replicated();
    let follower = Replica::of(&primary);
    let line = Proxy::unix(&primary);
    line.lead_to(promoted.socket());
    campus.work.set("primary", "read_url", &format!("\"{}\"", line.url(DB)));
    taken(&campus, "full");
    primary.execute(DB, "UPDATE op.patient SET phone = '2' WHERE id = 1");
    promoted.catch_up(&primary);
    follower.catch_up(&primary);
    taken(&campus, "delta");
    primary.stop_immediate();
    promoted.promote();
    let full = campus.work.run("his-snapshot", &["--json"]).expect(0);
    assert_eq!(full.json()["kind"], "full");
    assert!(full.stderr.contains("the primary was promoted or recovered"), "{}", full.shown());
    taken(&campus, "delta");
    // The profile is the same, and the replica's own control file still says the old timeline.
    follower.set(
        "primary_conninfo",
        &format!("host={} port={} user=postgres", promoted.socket_dir().display(), Replica::PORT),
    );
    promoted.value("INSERT INTO op.patient (name) VALUES ('after')");
    let there = "SELECT count(*) FROM op.patient WHERE name = 'after'";
    crate::support::wait_until("it follows", Duration::from_secs(60), || follower.value(there) == "1");
    assert_eq!(follower.value("SELECT timeline_id FROM pg_control_checkpoint()"), "1");
    line.lead_to(follower.socket());
    let ran = campus.work.run("his-snapshot", &["--json"]).expect(0);
    // What the one has seen end, the other may not have seen.
    assert_eq!(ran.json()["kind"], json!("full"), "{}", ran.shown());
    assert!(ran.stderr.contains("was started anew, has crashed, or is another"), "{}", ran.shown());
    campus.work.run("his-load-standby", &[]).expect(0);
    assert_eq!(campus.standby.value("his_g1", there), "1");
}

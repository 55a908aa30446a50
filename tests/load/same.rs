//! Whether the primary is still what the last snapshot was of: after a restore, a failover, a crash, or an exchange of
//! tables, partitions or columns the next snapshot is a full one, and says why.

use super::Hospital;
use crate::support::workplace::DB;
use crate::support::{Cluster, Kind, Place, Program, Ran, Replica, assert_same_tables, copy, server, wait_until};
use std::fs;
use std::time::Duration;

/// A hospital that takes deltas, with a snapshot and a delta on it, both loaded.
fn hospital(sql: &str, tables: &str) -> Hospital {
    let mut h = Hospital::small(300);
    h.primary.execute(DB, sql);
    h.work.set("store", "full_every", "\"24h\"");
    h.work.edit(|p| {
        p.tables(&format!("[[table]]\nname = \"public.t\"\n{tables}"));
    });
    begin(&h);
    h
}

fn begin(h: &Hospital) {
    take(h, &[], "full");
    h.load();
    h.primary.execute(DB, "UPDATE t SET v = 'day' WHERE id = 7");
    take(h, &[], "delta");
    h.load();
}

#[track_caller]
fn take(h: &Hospital, env: &[(&str, &str)], kind: &str) -> Ran {
    let mut program = h.work.program("his-snapshot", &["--json"]);
    for (name, value) in env {
        program = program.env(name, value);
    }
    let ran = program.run().expect(0);
    assert_eq!(ran.json()["kind"], kind, "{}", ran.shown());
    ran
}

/// The next snapshot is full for this reason, and what it loads is what is there; the one after is a delta again.
#[track_caller]
fn full(h: &Hospital, reason: &str) {
    let ran = take(h, &[], "full");
    assert!(ran.stderr.contains(&format!("a full snapshot, because {reason}")), "{}", ran.shown());
    let loaded = h.work.json(0, "his-load-standby", &["--accept-shrink", "--accept-change"]);
    let database = loaded["database"].as_str().expect("a name");
    assert_same_tables((&h.primary, DB), (&h.standby, database), &["public.other", "public.aside"]);
    h.primary.execute(DB, "UPDATE t SET v = 'on' WHERE id = 8; DELETE FROM t WHERE id = 9");
    take(h, &[], "delta");
    h.load();
    assert_same_tables((&h.primary, DB), (&h.standby, database), &["public.other", "public.aside"]);
}

#[test]
fn tables_partitions_or_columns_that_were_exchanged_for_others_of_the_same_shape_give_a_full_snapshot() {
    let sql = "CREATE TABLE p (id int, at int, v text, PRIMARY KEY (id, at)) PARTITION BY LIST (at);
        CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
        INSERT INTO p SELECT g, 1, 'old' FROM generate_series(1, 50) g;
        CREATE TABLE aside (LIKE p1 INCLUDING ALL); INSERT INTO aside SELECT id, at, 'other' FROM p1;";
    let h = hospital(sql, "[[table]]\nname = \"public.p\"\n");
    h.primary.execute(
        DB,
        "BEGIN; ALTER TABLE p DETACH PARTITION p1; ALTER TABLE p1 RENAME TO p2; ALTER TABLE aside RENAME TO p1; ALTER TABLE p2 RENAME TO aside;
         ALTER INDEX p1_pkey RENAME TO p2_pkey; ALTER INDEX aside_pkey RENAME TO p1_pkey; ALTER INDEX p2_pkey RENAME TO aside_pkey;
         ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1); COMMIT",
    );
    assert_eq!(h.primary.value(DB, "SELECT DISTINCT v FROM p"), "other");
    full(&h, "'public.p' has other partitions or columns of the same names");
    h.primary.execute(
        DB,
        "ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN v text DEFAULT 'all of them'; ALTER TABLE t ALTER v DROP DEFAULT",
    );
    full(&h, "'public.t' has other partitions or columns of the same names");
    h.primary.execute(
        DB,
        "CREATE TABLE t2 (LIKE t INCLUDING ALL); INSERT INTO t2 SELECT id, v || '!' FROM t; ALTER TABLE t RENAME TO t3; ALTER TABLE t2 RENAME TO t; ALTER TABLE t3 RENAME TO t2;
         ALTER INDEX t_pkey RENAME TO t3_pkey; ALTER INDEX t2_pkey RENAME TO t_pkey; ALTER INDEX t3_pkey RENAME TO t2_pkey",
    );
    // It is not only other rows: the sequence now belongs to the other.
    let ran = take(&h, &[], "full");
    assert!(ran.stderr.contains("'public.t' is another table"), "{}", ran.shown());
}

#[test]
fn a_table_that_keeps_its_rows_in_another_way_than_the_server_does_gives_full_snapshots() {
    let sql = "CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler;
        CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);";
    let h = hospital(sql, "[[table]]\nname = \"public.p\"\n");
    h.primary.execute(DB, "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (2000) USING other_heap");
    for _ in 0..2 {
        let ran = take(&h, &[], "full");
        assert!(ran.stderr.contains("it cannot be told what changes in 'public.p'"), "{}", ran.shown());
    }
}

#[test]
fn a_primary_whose_files_were_put_back_from_a_copy_gives_a_full_snapshot_also_when_it_has_gone_further_since() {
    let h = hospital("", "");
    let place = Place::new("copy");
    let aside = place.path().join("data");
    h.primary.stop_fast();
    copy(&h.primary.data(), &aside);
    h.primary.start_again();
    full(&h, "the primary's server was started anew");
    // Transactions whose ids are given again after the files came back.
    for id in 100..140 {
        h.primary.execute(DB, &format!("UPDATE t SET v = 'lost' WHERE id = {id}"));
    }
    take(&h, &[], "delta");
    h.load();
    h.primary.stop_fast();
    fs::remove_dir_all(h.primary.data()).expect("removed");
    copy(&aside, &h.primary.data());
    h.primary.start_again();
    for id in 150..300 {
        h.primary.execute(DB, &format!("UPDATE t SET v = 'again' WHERE id = {id}"));
    }
    h.primary.execute(DB, "SELECT pg_switch_wal(); CREATE TABLE fill AS SELECT g FROM generate_series(1, 1000) g; DROP TABLE fill; SELECT pg_switch_wal()");
    full(&h, "the primary's server was started anew");
}

#[test]
fn a_primary_that_went_through_a_crash_of_one_of_its_processes_gives_a_full_snapshot() {
    let h = hospital("", "");
    // The server itself lives on, and what was committed without waiting for the disk may be lost.
    let mut client = h.primary.client(DB);
    let process = client.query_one("SELECT pg_backend_pid()", &[]).expect("told").get::<_, i32>(0).to_string();
    Program::at("/bin/kill".as_ref()).args(["-9", &process]).run().expect(0);
    wait_until("the server notices", Duration::from_secs(30), || client.batch_execute("SELECT 1").is_err());
    wait_until("it recovers", Duration::from_secs(30), || h.primary.connect("postgres", DB).is_ok());
    full(&h, "the primary's server was started anew");
}

#[test]
fn a_primary_restored_with_pg_restore_gives_a_full_snapshot() {
    let h = hospital("CREATE ROLE his_owner", "");
    let place = Place::new("dump");
    server::hand_over(place.path());
    let file = place.path().join("his.dump");
    let (file, url) = (file.to_str().expect("text"), h.primary.url(DB));
    let run = |program: &str, args: &[&str]| {
        Program::at(&server::bin(program)).args(args).run().expect(0);
    };
    run("pg_dump", &["-Fc", "-f", file, &url]);
    h.primary.execute(DB, "UPDATE t SET v = 'since the backup' WHERE id < 100");
    take(&h, &[], "delta");
    h.load();
    // Into a new database of the same name.
    h.primary.execute("postgres", "DROP DATABASE his");
    h.primary.create_database(DB);
    run("pg_restore", &["-d", &url, file]);
    assert_eq!(h.primary.value(DB, "SELECT count(*) FROM t WHERE v ~ 'since'"), "0");
    full(&h, "the primary is another database");
    // Over what is there.
    run("pg_restore", &["--clean", "-d", &url, file]);
    full(&h, "'public.t' is another table");
    // Only the rows: they are written anew, as by anybody.
    h.primary.execute(DB, "UPDATE t SET v = 'more'; TRUNCATE t");
    run("pg_restore", &["--data-only", "-t", "t", "-d", &url, file]);
    take(&h, &[], "delta");
    let loaded = h.work.json(0, "his-load-standby", &["--accept-shrink", "--accept-change"]);
    let database = loaded["database"].as_str().expect("a name");
    assert_same_tables((&h.primary, DB), (&h.standby, database), &["public.other"]);
    // A copy of the database in its place.
    h.primary.execute("postgres", "CREATE DATABASE copy TEMPLATE his");
    h.primary.execute("postgres", "ALTER DATABASE his RENAME TO old");
    h.primary.execute("postgres", "ALTER DATABASE copy RENAME TO his");
    full(&h, "the primary is another database");
}

#[test]
fn a_primary_recovered_to_an_earlier_point_gives_a_full_snapshot_also_when_it_has_gone_further_since() {
    let h = hospital("", "");
    h.primary.execute(DB, "ALTER SYSTEM SET wal_keep_size = '1GB'");
    h.primary.execute(DB, "SELECT pg_reload_conf()");
    let place = Place::new("backup");
    server::hand_over(place.path());
    let backup = place.path().join("data");
    let mut base = server::as_server("primary", "pg_basebackup");
    base.args(["-X", "fetch", "-c", "fast", "-U", "postgres", "-p", &h.primary.port().to_string()]);
    base.arg("-h").arg(h.primary.socket_dir()).arg("-D").arg(&backup).current_dir(place.path());
    assert!(base.status().expect("started").success());
    h.primary.execute(DB, "UPDATE t SET v = 'before noon' WHERE id < 10");
    h.primary.execute(DB, "SELECT pg_create_restore_point('noon')");
    for id in 100..140 {
        h.primary.execute(DB, &format!("UPDATE t SET v = 'lost' WHERE id = {id}"));
    }
    h.primary.execute(DB, "SELECT pg_switch_wal()");
    take(&h, &[], "delta");
    h.load();
    h.primary.stop_fast();
    for segment in fs::read_dir(h.primary.data().join("pg_wal")).expect("there").flatten() {
        if segment.path().is_file() {
            copy(&segment.path(), &backup.join("pg_wal"));
        }
    }
    let more = "\nrestore_command = 'false'\nrecovery_target_name = 'noon'\nrecovery_target_action = 'promote'\n";
    let conf = backup.join("postgresql.conf");
    fs::write(&conf, fs::read_to_string(&conf).expect("settings") + more).expect("written");
    fs::write(backup.join("recovery.signal"), "").expect("written");
    fs::remove_dir_all(h.primary.data()).expect("removed");
    copy(&backup, &h.primary.data());
    server::hand_over(&h.primary.data());
    h.primary.start_again();
    wait_until("it is promoted", Duration::from_secs(30), || {
        h.primary.value("postgres", "SELECT pg_is_in_recovery()") == "f"
    });
    assert_eq!(h.primary.value(DB, "SELECT count(*) FROM t WHERE v = 'before noon'"), "9");
    for id in 150..300 {
        h.primary.execute(DB, &format!("UPDATE t SET v = 'again' WHERE id = {id}"));
    }
    full(&h, "the primary was promoted or recovered");
}

#[test]
fn a_primary_that_failed_over_to_its_replica_or_is_read_from_it_gives_a_full_snapshot() {
    let mut h = Hospital::small(300);
    h.work.set("store", "full_every", "\"24h\"");
    h.work.set("primary", "url", "\"env:HIS_TEST_URL\"");
    let url = h.primary.url(DB);
    let primary = [("HIS_TEST_URL", url.as_str())];
    take(&h, &primary, "full");
    h.primary.execute(DB, "UPDATE t SET v = 'day' WHERE id = 7");
    take(&h, &primary, "delta");
    let replica = Replica::of(&h.primary);
    h.primary.execute(DB, "UPDATE t SET v = 'noon' WHERE id = 8");
    let written = h.primary.value(DB, "SELECT pg_current_wal_lsn()");
    let come = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
    wait_until("the replica has it", Duration::from_secs(30), || replica.value(&come) == "t");
    let url = replica.url();
    let there = [("HIS_TEST_URL", url.as_str())];
    // What one server has seen end, another may not have; it is not asked which.
    let ran = take(&h, &there, "full");
    assert!(ran.stderr.contains("the primary's server was started anew"), "{}", ran.shown());
    h.primary.execute(DB, "UPDATE t SET v = 'later' WHERE id = 9");
    let written = h.primary.value(DB, "SELECT pg_current_wal_lsn()");
    let come = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
    wait_until("the replica has it", Duration::from_secs(30), || replica.value(&come) == "t");
    let ran = take(&h, &there, "delta");
    assert_eq!(ran.json()["rows"], 1, "{}", ran.shown());
    h.primary.stop_immediate();
    replica.promote();
    let ran = take(&h, &there, "full");
    assert!(ran.stderr.contains("the primary was promoted or recovered"), "{}", ran.shown());
    take(&h, &there, "delta");
}

#[test]
fn a_delta_leaves_the_rows_of_tables_that_inherit_from_a_table_alone() {
    let sql = "CREATE TABLE old_style (id int PRIMARY KEY, v text); CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (old_style);
        CREATE TABLE plain (v text); CREATE TABLE plain_heir () INHERITS (plain);
        INSERT INTO old_style SELECT g, 'parent' FROM generate_series(1, 100) g; INSERT INTO heir SELECT g, 'heir' FROM generate_series(1, 100) g;
        INSERT INTO plain SELECT g FROM generate_series(1, 100) g; INSERT INTO plain_heir SELECT g FROM generate_series(1, 100) g";
    let tables = "[[table]]\nname = \"public.heir\"\n[[table]]\nname = \"public.old_style\"\n[[table]]\nname = \"public.plain_heir\"\n[[table]]\nname = \"public.plain\"\n";
    let h = hospital(sql, tables);
    let before = h.standby.digest_without("his_g1", &["public.other"]);
    h.primary.execute(DB, "UPDATE ONLY old_style SET v = 'new' WHERE id < 20; DELETE FROM ONLY old_style WHERE id BETWEEN 20 AND 30; UPDATE ONLY plain SET v = 'x' WHERE v = '7'");
    take(&h, &[], "delta");
    h.load();
    assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &["public.other"]);
    h.work.run("his-load-standby", &["rollback"]).expect(0);
    assert_eq!(h.standby.digest_without("his_g1", &["public.other"]), before);
}

/// A primary whose transaction ids begin at `next`; all its rows were frozen before.
fn jumped(primary: &Cluster, next: u64) {
    primary.execute("postgres", "ALTER DATABASE template0 ALLOW_CONNECTIONS true");
    for database in ["postgres", "template0", "template1", DB] {
        primary.execute(database, "VACUUM (FREEZE)");
    }
    primary.stop_fast();
    let data = primary.data();
    // The log of how transactions ended is written in files of 2^20 each.
    let round = next & u64::from(u32::MAX);
    let segment = data.join(format!("pg_xact/{:04X}", round >> 20));
    if !segment.exists() {
        fs::write(&segment, vec![0; 1 << 18]).expect("written");
        fs::set_permissions(&segment, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
        server::hand_over(&segment);
    }
    let mut reset = server::as_server("primary", "pg_resetwal");
    reset.args(["-f", "-x", &round.to_string(), "-u", &(round.saturating_sub(1000).max(3)).to_string()]);
    reset.args(["-e", &(next >> 32).to_string(), "-D"]).arg(&data).current_dir(&data);
    assert!(reset.status().expect("started").success());
    primary.start_again();
}

#[test]
fn what_changed_is_told_exactly_across_the_wrap_around_of_transaction_ids_and_of_rows_of_any_age() {
    let sql = "CREATE TABLE keyed (id uuid PRIMARY KEY, v text); INSERT INTO keyed SELECT md5(g::text)::uuid, 'old' FROM generate_series(1, 300) g";
    let h = hospital(sql, "[[table]]\nname = \"public.keyed\"\n");
    let burn = |n: usize| {
        let block = format!(
            "DO $$ BEGIN FOR i IN 1..{n} LOOP BEGIN INSERT INTO other VALUES (i); RAISE EXCEPTION 'no'; EXCEPTION WHEN raise_exception THEN END; END LOOP; END $$"
        );
        h.primary.execute(DB, &block);
    };
    let next = || h.primary.value(DB, "SELECT txid_current()").parse::<u64>().expect("a number");
    let written = next();
    let mut generation = String::from("his_g1");
    let mut n = 0;
    // How old the first rows look then: a quarter of a round, more than half of one, nearly one with the wrap-around between two
    // snapshots, and one.
    let (far, anew) = ("transactions have ended since the last one", "the primary's server was started anew");
    let jumps = [(1_400_000_000, far), (2_800_000_000, far), ((1 << 32) - 200, far), ((1 << 32) + written - 40, anew)];
    for (at, reason) in jumps {
        jumped(&h.primary, at);
        let ran = take(&h, &[], "full");
        assert!(ran.stderr.contains(reason), "{}", ran.shown());
        let loaded = h.work.json(0, "his-load-standby", &["--accept-shrink", "--accept-change"]);
        loaded["database"].as_str().expect("a name").clone_into(&mut generation);
        for chore in ["SELECT 1", "VACUUM (FREEZE) t; VACUUM (FREEZE) keyed", "VACUUM FULL t", "SELECT 1"] {
            n += 1;
            h.primary.execute(DB, &format!("UPDATE t SET v = 'u{n}' WHERE id % 50 = {n}; DELETE FROM t WHERE id = 20 + {n}; INSERT INTO t (v) VALUES ('i{n}');
                UPDATE keyed SET v = 'u{n}' WHERE id = md5('{n}')::uuid; DELETE FROM keyed WHERE id = md5((100 + {n})::text)::uuid"));
            for part in chore.split("; ") {
                h.primary.execute(DB, part);
            }
            burn(120);
            let taken = take(&h, &[], "delta").json();
            let rows = taken["rows"].as_u64().expect("a number");
            let most = if at > 1 << 32 { 700 } else { 60 };
            assert!((8..most).contains(&rows), "{at}, {chore}: {taken}");
            h.load();
            assert_same_tables((&h.primary, DB), (&h.standby, &generation), &["public.other"]);
        }
        assert!(next() > at + 480, "{} are not burned", next() - at);
    }
    assert!(next() > 1 << 32, "it has not wrapped around");
}

#[test]
fn a_row_whose_writer_was_prepared_before_one_snapshot_and_committed_after_the_next_is_in_the_delta_after_that() {
    let standby = std::thread::spawn(|| Cluster::start(Kind::Standby));
    let primary = Cluster::start_with(Kind::Primary, &[("max_prepared_transactions", "5")]);
    let standby = standby.join().expect("it starts");
    primary.create_database(DB);
    primary.execute(
        DB,
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'old' FROM generate_series(1, 100) g",
    );
    let mut work = crate::support::Workplace::new(&primary, &standby, "[[table]]\nname = \"public.t\"\n");
    work.set("store", "full_every", "\"24h\"");
    let h = Hospital { primary, standby, work };
    take(&h, &[], "full");
    h.load();
    h.primary.execute(DB, "BEGIN; INSERT INTO t VALUES (1000, 'prepared'); SAVEPOINT s; UPDATE t SET v = 'prepared' WHERE id = 3; DELETE FROM t WHERE id = 4; PREPARE TRANSACTION 'p'");
    for id in 10..13 {
        h.primary.execute(DB, &format!("UPDATE t SET v = 'x' WHERE id = {id}"));
        take(&h, &[], "delta");
        h.load();
        assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &[]);
    }
    h.primary.execute(DB, "COMMIT PREPARED 'p'");
    h.primary.execute(DB, "VACUUM (FREEZE) t");
    take(&h, &[], "delta");
    h.load();
    assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &[]);
    assert_eq!(h.standby.value("his_g1", "SELECT count(*) FROM t WHERE v = 'prepared'"), "2");
}

//! A delta brings the newest generation forward: what it holds then is what the primary has, row for row.

use super::{Hospital, LEFT_OUT};
use crate::support::workplace::DB;
use crate::support::{Replica, assert_same_tables};
use serde_json::{Value, json};
use std::time::Duration;

/// What a day does to the tables of the hospital: rows come, change and go, in every one of them.
fn day(n: usize) -> String {
    format!(
        r#"SET search_path = op, public;
        INSERT INTO patient (name, email) SELECT 'neu {n}/' || g, 'N{n}.' || g || '@x.cn' FROM generate_series(1, 5) g;
        UPDATE patient SET name = name || E'\n"{n}"', born = 'infinity' WHERE patient_id % 37 = {n};
        INSERT INTO charge (patient_id, total, cashier) SELECT 1 + g, {n}.0001 * g, 1 FROM generate_series(1, 20) g;
        INSERT INTO charge_line SELECT charge_id, 2, 'x{n}', 0 FROM charge WHERE charge_id % 41 = {n};
        DELETE FROM charge WHERE charge_id % 53 = {n} AND charge_id > 500;
        UPDATE charge SET total = -total WHERE charge_id % 59 = {n};
        DELETE FROM audit WHERE id % 31 = {n};
        INSERT INTO audit SELECT 1000 * {n} + g, date '2025-12-25' + g, 'späť', NULL FROM generate_series(1, 15) g;
        UPDATE dept SET name = '科{n}' WHERE dept_id = 1;
        INSERT INTO staff (name, dept_id) VALUES ('新{n}', 2);
        UPDATE skd SET slots_left = slots_left - 1, current_no = current_no + 1;
        INSERT INTO queue_now VALUES (1 + {n}, true);
        INSERT INTO secret VALUES (10 + {n}, NULL);
        UPDATE tagged SET name = 't{n}' WHERE id % 10 = {n};
        UPDATE "门诊"."挂号单 Order" SET n = 'NaN', j = '{{"b":  {n}}}' WHERE "ID" = 2;
        INSERT INTO "门诊"."挂号单 Order" VALUES (100 + {n}, '', 'infinity', 'Infinity', '1', '[0:1]={{1,2}}', -1, NULL);
        SELECT nextval('receipt_seq');
        REFRESH MATERIALIZED VIEW z_base; REFRESH MATERIALIZED VIEW a_top; REFRESH MATERIALIZED VIEW of_key;"#
    )
}

/// A hospital that takes deltas.
fn hospital() -> Hospital {
    with_deltas(Hospital::new())
}

fn small(rows: u32) -> Hospital {
    with_deltas(Hospital::small(rows))
}

fn with_deltas(mut h: Hospital) -> Hospital {
    h.work.set("store", "full_every", "\"24h\"");
    h
}

fn kind(h: &Hospital, expected: &str) -> Value {
    let ran = h.work.run("his-snapshot", &["--json"]).expect(0);
    assert_eq!(ran.json()["kind"], expected, "{}", ran.shown());
    ran.json()
}

/// The standby's database has what the primary has.
fn require_same(h: &Hospital, database: &str) {
    assert_same_tables((&h.primary, DB), (&h.standby, database), &LEFT_OUT);
    for view in ["SELECT * FROM op.z_base ORDER BY 1", "SELECT * FROM op.a_top", "SELECT * FROM op.of_key ORDER BY 1"] {
        assert_eq!(h.standby.rows(database, view), h.primary.rows(DB, view), "{view}");
    }
    let raised = "SELECT skd_id, current_no FROM op.skd ORDER BY 1";
    let there = h.primary.rows(DB, "SELECT skd_id, current_no + 500 FROM op.skd ORDER BY 1");
    assert_eq!(h.standby.rows(database, raised), there);
    let sequence = "SELECT last_value, is_called FROM op.receipt_seq";
    assert_eq!(h.standby.rows(database, sequence), h.primary.rows(DB, sequence));
}

#[test]
fn a_delta_brings_the_newest_generation_forward_row_for_row_and_a_new_one_is_built_of_the_chain() {
    let h = hospital();
    kind(&h, "full");
    assert_eq!(h.load()["generation"], 1);
    for n in 1..=4 {
        h.primary.execute(DB, &day(n));
        let taken = kind(&h, "delta");
        assert!(taken["rows"].as_u64() < Some(1000), "{taken}");
        let loaded = h.load();
        assert_eq!(
            (&loaded["generation"], &loaded["verified"], &loaded["new"]),
            (&json!(1), &json!(true), &json!(true))
        );
        assert_eq!(loaded["snapshot"], taken["snapshot"]);
        require_same(&h, "his_g1");
    }
    assert_eq!(h.load()["new"], false);
    // Two at once, and one in which nothing happened.
    h.primary.execute(DB, &day(5));
    kind(&h, "delta");
    h.primary.execute(DB, &day(6));
    kind(&h, "delta");
    let last = kind(&h, "delta");
    assert_eq!(last["rows"], 0);
    assert_eq!(h.load()["generation"], 1);
    require_same(&h, "his_g1");
    h.work.run("his-snapshot", &["verify", "--all"]).expect(0);
    h.work.run("his-load-standby", &["check"]);
    // Once it was opened, the same data are wanted in a generation of their own: the full one and all deltas.
    h.opened("his_g1");
    h.closed("his_g1");
    let loaded = h.load();
    assert_eq!((&loaded["generation"], &loaded["snapshot"]), (&json!(2), &last["snapshot"]));
    require_same(&h, "his_g2");
}

#[test]
fn a_row_of_a_transaction_that_was_open_at_the_last_snapshot_is_in_the_next_delta_also_of_a_subtransaction() {
    let h = small(1000);
    let begin = |n: u32| {
        let mut client = h.primary.client(DB);
        let writes = format!(
            "BEGIN; INSERT INTO t (v) VALUES ('top {n}'); SAVEPOINT a; INSERT INTO t (v) VALUES ('sub {n}'); UPDATE t SET v = 'sub {n}' WHERE id = {n}; RELEASE a;
             SAVEPOINT b; DELETE FROM t WHERE id = {n} + 500; SAVEPOINT c; INSERT INTO t (v) VALUES ('subsub {n}'); RELEASE b;
             SAVEPOINT d; INSERT INTO t (v) VALUES ('never'); ROLLBACK TO d"
        );
        client.batch_execute(&writes).expect("it is written");
        client
    };
    let mut first = begin(1);
    h.primary.execute(DB, "INSERT INTO t (v) VALUES ('later, and committed')");
    kind(&h, "full");
    h.load();
    let mut second = begin(2);
    h.primary.execute(DB, "UPDATE t SET v = 'other' WHERE id = 100");
    kind(&h, "delta");
    h.load();
    first.batch_execute("COMMIT").expect("committed");
    kind(&h, "delta");
    h.load();
    assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &["public.other"]);
    second.batch_execute("COMMIT").expect("committed");
    kind(&h, "delta");
    h.load();
    assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &["public.other"]);
    assert_eq!(h.standby.value("his_g1", "SELECT count(*) FROM t WHERE v ~ '^(top|sub|subsub) '"), "8");
}

#[test]
fn what_vacuum_and_rewrites_of_a_table_do_hides_no_change_and_makes_none() {
    let h = small(3000);
    h.primary.execute(DB, "CLUSTER t USING t_pkey");
    kind(&h, "full");
    h.load();
    for (n, chore) in
        ["VACUUM FREEZE t", "VACUUM FULL t", "CLUSTER t USING t_pkey", "VACUUM t", "ANALYZE t"].iter().enumerate()
    {
        h.primary.execute(
            DB,
            &format!("UPDATE t SET v = 'n{n}' WHERE id % 100 = {n}; DELETE FROM t WHERE id % 100 = 50 + {n}"),
        );
        h.primary.execute(DB, chore);
        h.primary.execute(DB, &format!("INSERT INTO t (v) VALUES ('after {n}')"));
        let taken = kind(&h, "delta");
        // VACUUM FULL and CLUSTER keep who wrote a row; what is sent is what changed.
        assert!(taken["rows"].as_u64() < Some(70), "{chore}: {taken}");
        h.load();
        assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &["public.other"]);
    }
    h.primary.execute(DB, "TRUNCATE t; INSERT INTO t (v) VALUES ('all that is left')");
    kind(&h, "delta");
    h.work.run("his-load-standby", &[]).expect(4).says("of 'public.t' 100.0 %").says("gone");
    h.work.run("his-load-standby", &["--accept-shrink", "--accept-change"]).expect(0);
    assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &["public.other"]);
}

#[test]
fn a_delta_is_taken_only_where_it_can_be_told_what_changed_and_else_a_full_snapshot_says_why() {
    let mut h = small(100);
    let why = |h: &Hospital, reason: &str| {
        let ran = h.work.run("his-snapshot", &["--json"]).expect(0);
        assert_eq!(ran.json()["kind"], "full", "{reason}");
        assert!(ran.stderr.contains(reason), "{}", ran.shown());
        kind(h, "delta");
    };
    kind(&h, "full");
    kind(&h, "delta");
    assert_eq!(h.work.json(0, "his-snapshot", &["--full"])["kind"], "full");
    kind(&h, "delta");
    h.primary.execute(DB, "CREATE VIEW one AS SELECT 1 AS n");
    why(&h, "the schema has changed");
    h.primary.execute(DB, "ALTER TABLE t ADD COLUMN more int");
    why(&h, "'public.t' has other columns");
    h.primary.execute(DB, "CREATE TABLE t2 (LIKE t INCLUDING ALL); INSERT INTO t2 SELECT * FROM t; DROP TABLE t CASCADE; ALTER TABLE t2 RENAME TO t; CREATE SEQUENCE t_id_seq");
    why(&h, "'public.t' is another table");
    h.primary.execute(DB, "ALTER DATABASE his SET TimeZone = 'Asia/Shanghai'");
    why(&h, "the settings of the database have changed");
    h.work.set("site", "language", "\"en\"");
    why(&h, "the profile has changed");
    h.work.set("store", "full_every", "\"0s\"");
    assert_eq!(h.work.json(0, "his-snapshot", &[])["kind"], "full");
    assert_eq!(h.work.json(0, "his-snapshot", &[])["kind"], "full");
}

#[test]
fn a_primary_that_was_restored_or_failed_over_gives_a_full_snapshot() {
    let mut h = small(100);
    kind(&h, "full");
    kind(&h, "delta");
    let replica = Replica::of(&h.primary);
    h.primary.stop_immediate();
    replica.promote();
    h.work.set("primary", "url", &format!("\"{}\"", replica.url()));
    // The profile is another as well, but for that it would be told by its time line.
    let ran = h.work.run("his-snapshot", &["--json"]).expect(0);
    assert_eq!(ran.json()["kind"], "full");
}

#[test]
fn p5_after_a_delta_the_standby_is_as_closed_and_as_guarded_as_before_and_captures_when_it_is_opened() {
    let h = hospital();
    kind(&h, "full");
    h.load();
    let guards = "SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT NULL, evtname, evtenabled FROM pg_event_trigger ORDER BY 1, 2";
    let before = h.standby.rows("his_g1", guards);
    h.primary.execute(DB, &day(1));
    kind(&h, "delta");
    h.load();
    assert_eq!(h.standby.rows("his_g1", guards), before);
    for sql in ["DELETE FROM op.charge", "INSERT INTO op.secret VALUES (99, 'x')", "UPDATE op.audit SET what = ''"] {
        let refused = h.standby.try_psql("his_g1", &format!("SET default_transaction_read_only = off; {sql}"));
        assert!(refused.is_err_and(|e| e.contains("the emergency standby is closed")), "{sql}");
    }
    let refused = h.standby.try_psql("his_g1", "SET default_transaction_read_only = off; CREATE TABLE x ()");
    assert!(refused.is_err_and(|e| e.contains("CREATE TABLE refused on the emergency standby")));
    h.opened("his_g1");
    h.write("his_g1", "INSERT INTO op.charge (charge_id, patient_id, total) VALUES (900000000, 1, 1)");
    assert_eq!(h.standby.value("his_g1", "SELECT count(*) FROM his_emergency.unit"), "1");
}

#[test]
fn rolling_back_takes_the_last_delta_away_again_and_then_the_generation() {
    let h = hospital();
    kind(&h, "full");
    h.load();
    kind(&h, "delta");
    h.load();
    let first = h.work.json(0, "his-load-standby", &["list"]);
    let before = h.standby.digest_without("his_g1", &LEFT_OUT);
    h.primary.execute(DB, &day(1));
    let taken = kind(&h, "delta");
    h.load();
    assert_ne!(h.standby.digest_without("his_g1", &LEFT_OUT), before);
    let back = h.work.json(0, "his-load-standby", &["rollback"]);
    assert_eq!((&back["generation"], &back["taken_back"]), (&json!(1), &taken["snapshot"]));
    assert_eq!(h.standby.digest_without("his_g1", &LEFT_OUT), before);
    assert_eq!(back["snapshot"], first["generations"][0]["snapshot"]);
    // It is not loaded again by the next timer, but by whoever names it; and a newer one is.
    h.work.run("his-load-standby", &[]).expect(4).says("it was rolled back (generation 1)");
    h.work.run("his-load-standby", &[taken["snapshot"].as_str().expect("an id")]).expect(0);
    require_same(&h, "his_g1");
    h.work.run("his-load-standby", &["rollback"]).expect(0);
    h.primary.execute(DB, &day(2));
    kind(&h, "delta");
    h.load();
    require_same(&h, "his_g1");
}

#[test]
fn p7_once_a_delta_killed_at_any_moment_and_run_again_ends_in_the_same_state() {
    let h = hospital();
    kind(&h, "full");
    h.load();
    for n in 1..=8 {
        h.primary.execute(DB, &day(n));
        let taken = kind(&h, "delta");
        for pause in [20, 60, 100, 150, 200] {
            let killed = h.work.start("his-load-standby", &[]);
            std::thread::sleep(Duration::from_millis(pause + 7 * n as u64));
            killed.kill();
        }
        assert_eq!(h.load()["snapshot"], taken["snapshot"]);
        require_same(&h, "his_g1");
    }
    assert_eq!(h.databases(), ["his_g1"]);
}

#[test]
fn a_standby_whose_rows_are_not_those_of_the_primary_is_told_by_the_next_delta_and_mended_by_a_full_snapshot() {
    let h = small(1000);
    kind(&h, "full");
    h.load();
    let tamper = |sql: &str| {
        let past = "SET transaction_read_only = off; SET session_replication_role = replica; ALTER EVENT TRIGGER his_emergency_ddl DISABLE; ALTER TABLE t DISABLE TRIGGER USER;";
        // With all its guards, or another generation would be built.
        let again = "DO $$ DECLARE g text; BEGIN FOR g IN SELECT tgname FROM pg_trigger WHERE tgrelid = 't'::regclass AND NOT tgisinternal LOOP
            EXECUTE format('ALTER TABLE t ENABLE ALWAYS TRIGGER %I', g); END LOOP; END $$; ALTER EVENT TRIGGER his_emergency_ddl ENABLE ALWAYS";
        h.standby.execute(&h.databases().pop().expect("one"), &format!("{past} {sql}; {again}"));
    };
    for (sql, reason) in [
        ("UPDATE t SET v = 'tampered' WHERE id = 7", "rows that nobody changed are not the same on both sides"),
        ("DELETE FROM t WHERE id = 300", "1 of the 2 rows that are gone were never there"),
        ("INSERT INTO t VALUES (4000000, 'x')", "it would have"),
    ] {
        tamper(sql);
        h.primary.execute(DB, "UPDATE t SET v = v || '.' WHERE id % 100 = 0; DELETE FROM t WHERE id IN (300, 301); INSERT INTO t (v) VALUES ('new')");
        // Every row is looked at once in as many deltas as the table has blocks.
        let told = (0..10).find_map(|_| {
            kind(&h, "delta");
            let ran = h.work.run("his-load-standby", &[]);
            (ran.code != 0).then_some(ran)
        });
        let told = told.unwrap_or_else(|| panic!("{sql} was not seen")).expect(4).says(reason);
        assert!(told.hint().contains("The next his-snapshot takes a full one by itself"), "{}", told.hint());
        kind(&h, "full");
        h.load();
        let newest = h.databases().pop().expect("one");
        assert_same_tables((&h.primary, DB), (&h.standby, &newest), &["public.other"]);
        h.primary.execute(DB, "INSERT INTO t VALUES (300, 'back'), (301, 'back')");
        kind(&h, "delta");
        h.load();
    }
}

#[test]
fn rows_that_come_into_a_filters_view_or_leave_it_without_being_written_are_in_the_delta() {
    let mut h = small(1000);
    let filtered = "[[table]]\nname = \"public.t\"\nwhere = \"id BETWEEN (SELECT max(id) FROM other) AND (SELECT max(id) FROM other) + 499\"\n[[table]]\nname = \"public.other\"\n";
    h.work.edit(|p| {
        p.tables(filtered);
    });
    h.primary.execute(DB, "INSERT INTO other VALUES (1)");
    kind(&h, "full");
    h.load();
    for n in [50, 51, 300, 20_000] {
        h.primary.execute(DB, &format!("INSERT INTO other VALUES ({n}); UPDATE t SET v = 'n{n}' WHERE id % 100 = 51"));
        kind(&h, "delta");
        h.work.run("his-load-standby", &["--accept-shrink", "--accept-change"]).expect(0);
        let seen = format!("SELECT id, v FROM t WHERE id BETWEEN {n} AND {n} + 499 ORDER BY id");
        assert_eq!(h.standby.rows("his_g1", "SELECT id, v FROM t ORDER BY id"), h.primary.rows(DB, &seen), "{n}");
    }
}

#[test]
fn a_dry_run_says_whether_a_delta_would_be_taken_and_why_not_and_the_next_run_does_so() {
    let mut h = small(100);
    let expect = |h: &Hospital, args: &[&str], kind: &str, why: &str| {
        let plan = h.work.json(0, "his-snapshot", &[args, &["--dry-run"]].concat());
        assert_eq!((&plan["dry_run"], &plan["kind"]), (&json!(true), &json!(kind)), "{plan}");
        let found = plan["why"].as_str().unwrap_or_else(|| plan["parent"].as_str().expect("one of both"));
        assert!(found.contains(why), "{plan}, expected: {why}");
        assert_eq!(plan["why"].is_null(), plan["kind"] == "delta");
        let said = h.work.run("his-snapshot", &[args, &["--dry-run"]].concat()).expect(0);
        assert!(said.stdout.contains(why), "{}", said.shown());
        let taken = h.work.json(0, "his-snapshot", args);
        assert_eq!(taken["kind"], kind, "{why}");
        taken["snapshot"].as_str().expect("an id").to_owned()
    };
    let first = expect(&h, &[], "full", "it is the first one");
    let second = expect(&h, &[], "delta", &first);
    expect(&h, &[], "delta", &second);
    let full = expect(&h, &["--full"], "full", "--full asks for it");
    expect(&h, &[], "delta", &full);
    h.primary.execute(DB, "CREATE VIEW one AS SELECT 1 AS n");
    expect(&h, &[], "full", "the schema has changed");
    h.primary.execute(DB, "ALTER TABLE t ADD COLUMN more int");
    expect(&h, &[], "full", "'public.t' has other columns");
    h.work.set("site", "language", "\"en\"");
    expect(&h, &[], "full", "the profile has changed");
    h.work.set("store", "full_every", "\"0s\"");
    expect(&h, &[], "full", "the profile asks for no deltas");
    let store = h.work.store();
    let left = |folder: &str| std::fs::read_dir(store.join(folder)).expect("there").count();
    assert_eq!(left("snapshots"), 9);
}

#[test]
fn where_no_delta_is_asked_for_nothing_is_kept_for_one_and_nothing_is_asked_of_the_primary_for_one() {
    let mut h = small(100);
    h.primary.execute(DB, "CREATE TABLE keyed (id uuid PRIMARY KEY); INSERT INTO keyed VALUES (md5('1')::uuid)");
    h.primary.execute(DB, "ALTER SYSTEM SET log_statement = 'all'");
    h.primary.execute(DB, "SELECT pg_reload_conf()");
    h.work.edit(|p| {
        p.tables("[[table]]\nname = \"public.t\"\n[[table]]\nname = \"public.keyed\"\n");
    });
    let take = |h: &Hospital| {
        let before = h.primary.log().len();
        let taken = kind(h, "full");
        let log = h.primary.log();
        let hashed = log[before..].matches("COPY (SELECT h & ").count();
        let dir = super::dir_of(h, taken["snapshot"].as_str().expect("an id"));
        let manifest: Value =
            serde_json::from_slice(&std::fs::read(dir.join("manifest.json")).expect("there")).expect("JSON");
        let census: Vec<bool> =
            manifest["tables"].as_array().expect("a list").iter().map(|t| t["census"].is_object()).collect();
        (hashed, census, dir.join("census").exists())
    };
    assert_eq!(take(&h), (1, vec![true, true], true));
    h.work.set("store", "full_every", "\"0s\"");
    assert_eq!(take(&h), (0, vec![false, false], false));
    h.load();
    h.work.run("his-snapshot", &["verify", "--all"]).expect(0);
    assert_same_tables((&h.primary, DB), (&h.standby, "his_g1"), &["public.other"]);
}

//! P1 (consistent), P3 (whole or not at all), P7 (once), P16 (the emergency comes first), and what the primary feels.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::support::{Running, Windows, wait_until};

const SHOP: &str = "
CREATE TABLE header (id bigint PRIMARY KEY, total numeric(12, 2) NOT NULL);
CREATE TABLE line (id bigint PRIMARY KEY, header bigint NOT NULL REFERENCES header, amount numeric(12, 2) NOT NULL);
CREATE TABLE book (id int PRIMARY KEY, total numeric(14, 2) NOT NULL);
CREATE TABLE ballast (id int PRIMARY KEY, text text);
INSERT INTO book VALUES (1, 0);
INSERT INTO ballast SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, 20000) i;
CREATE SEQUENCE headers;
CREATE SEQUENCE lines;
CREATE SCHEMA his_emergency;
CREATE TABLE his_emergency.event (event text PRIMARY KEY, epoch bigint NOT NULL);
CREATE TABLE his_emergency.merge_run (run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);";

/// The sum goes into another table than the lines, an older charge gets a line more, and a run of the merge ledger is
/// counted under the lock of the book, so in the order of the commits.
const SALE: &str = "
SELECT nextval('headers') AS h \\gset
INSERT INTO header VALUES (:h, 30.30);
INSERT INTO line SELECT nextval('lines'), :h, a FROM unnest(ARRAY[10.10, 20.20]) AS a;
WITH old AS (UPDATE header SET total = total + 1.01 WHERE id = :h - 3 RETURNING id)
INSERT INTO line SELECT nextval('lines'), id, 1.01 FROM old;
UPDATE book SET total = total + 30.30 WHERE id = 1;
INSERT INTO his_emergency.merge_run DEFAULT VALUES;";

const SHOP_TABLES: &str = r#"
[[table]]
name = "public.line"
[[table]]
name = "public.ballast"
[[table]]
name = "public.header"
where = "id > 0"
[[table]]
name = "public.book"
"#;

fn cents(text: &str) -> i64 {
    text.replace('.', "").parse().expect("an amount")
}

#[test]
fn p1_no_snapshot_under_load_holds_a_header_whose_lines_do_not_sum_to_it() {
    let (primary, _standby, workplace) = hospital(SHOP, SHOP_TABLES);
    let windows = Windows::new(&primary.libpq("his"), SALE).clients(6).persistent().pause(Duration::ZERO).open();
    windows.wait_for_commits(&primary, 20);
    let mut seen = Vec::new();
    for _ in 0..20 {
        let dir = path(&take(&workplace));
        let rows = |table: &str| rows_as_of(&workplace, &dir, table);
        let mut lines: BTreeMap<String, i64> = BTreeMap::new();
        for line in rows("public.line") {
            *lines.entry(line[1].clone()).or_default() += cents(&line[2]);
        }
        let headers: BTreeMap<String, i64> =
            rows("public.header").iter().map(|h| (h[0].clone(), cents(&h[1]))).collect();
        assert_eq!(headers, lines, "in {}", dir.display());
        assert_eq!(cents(&rows("public.book")[0][1]), 3030 * i64::try_from(headers.len()).expect("few"));
        let highest: i64 = headers.keys().map(|id| id.parse::<i64>().expect("an id")).max().expect("sales");
        let m = manifest(&dir);
        assert_eq!(m["ledger"]["run"], headers.len(), "the ledger is of another instant than the rows");
        let sequence = m["sequences"].as_array().expect("sequences")[0].clone();
        assert_eq!(sequence["sequence"], json!({ "schema": "public", "name": "headers" }));
        assert!(sequence["last_value"].as_i64().expect("a number") >= highest, "a sequence is behind its rows");
        seen.push(headers.len());
    }
    let log = windows.close();
    assert!(seen.windows(2).all(|two| two[0] < two[1]), "there was no load: {seen:?}");
    assert!(log.iter().all(|a| a.stderr.is_empty()), "{:?}", log.iter().find(|a| !a.stderr.is_empty()));
}

#[test]
fn p3_a_snapshot_killed_at_any_moment_is_not_visible_and_the_next_one_is_whole() {
    let (_primary, _standby, workplace) = hospital(SHOP, SHOP_TABLES);
    let began = Instant::now();
    take(&workplace);
    let mut usual = began.elapsed();
    let (mut killed, mut whole, mut turn) = (0, 1, 0);
    // Until enough have been killed, however fast a run has become meanwhile.
    while turn < 20 || killed < 10 {
        turn += 1;
        let running = workplace.start(SNAPSHOT, &[]);
        // A golden-ratio walk over the usual duration: every phase, and no two turns alike.
        thread::sleep(usual.mul_f64((f64::from(turn) * 0.618_034).fract()));
        match running.kill().code {
            0 => (whole, usual) = (whole + 1, usual.mul_f64(0.9)),
            137 => (killed, usual) = (killed + 1, usual.mul_f64(1.05)),
            code => panic!("exit code {code}"),
        }
        let listed = workplace.json(0, SNAPSHOT, &["list"]);
        let snapshots = listed["snapshots"].as_array().expect("a list");
        assert!(snapshots.len() >= whole, "{listed}");
        assert!(snapshots.iter().all(|s| s["ok"] == true), "{listed}");
    }
    let all = workplace.json(0, SNAPSHOT, &["verify", "--all"]);
    assert!(all["snapshots"].as_array().expect("a list").iter().all(|s| s["ok"] == true), "{all}");
    take(&workplace);
    assert!(entries(&workplace).iter().all(|name| !name.starts_with('.')), "{:?}", entries(&workplace));
}

#[test]
fn ddl_behind_a_snapshot_ends_it_and_does_not_wait_for_it() {
    let script = format!("{SLOW} CREATE TABLE other (id int PRIMARY KEY);");
    let (primary, _standby, workplace) = hospital(&script, SLOW_TABLES);
    for ddl in ["ALTER TABLE slow ADD COLUMN more int", "TRUNCATE slow", "CREATE INDEX CONCURRENTLY ON slow (id)"] {
        let running = reading(&primary, &workplace);
        let began = Instant::now();
        primary.execute("his", ddl);
        let waited = began.elapsed();
        // A look is taken every 200 ms, the download takes a minute; what is between is left to a busy machine.
        assert!(waited < Duration::from_secs(2), "{ddl} waited {waited:?}");
        let ran = running.wait().expect(4).says("cannot take a snapshot of '示例医院门诊部': process ");
        assert_eq!(
            ran.hint(),
            "DDL goes first, so nothing was taken; run his-snapshot again when that change is done."
        );
        assert_eq!(entries(&workplace), [""; 0]);
        let (act, result) = journal(&workplace).pop().expect("a line");
        assert_eq!(act, "snapshot");
        assert!(result.contains("waits for "), "{result}");
        primary.psql("his", "INSERT INTO slow SELECT generate_series(1, 600) ON CONFLICT DO NOTHING");
    }
    // Of a table that the schema's dump has seen and nobody holds.
    let mut running = reading(&primary, &workplace);
    primary.execute("his", "DROP TABLE other");
    assert!(running.running());
}

/// A snapshot in the middle of the slow table.
fn reading(primary: &Cluster, workplace: &Workplace) -> Running {
    let mut running = workplace.start(SNAPSHOT, &[]);
    running.wait_for("downloading 1 tables");
    let inside = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    wait_until("the table is being read", Duration::from_secs(10), || primary.value("his", inside) == "1");
    let dumping = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'his-snapshot schema%'";
    wait_until("the schema is dumped", Duration::from_secs(10), || primary.value("his", dumping) == "0");
    running
}

#[test]
fn ddl_that_is_under_way_is_waited_for_three_seconds_and_named() {
    let (primary, _standby, workplace) = awkward();
    primary.psql("his", "CREATE TABLE outpatient.other (id int)");
    let mut ddl = primary.client("his");
    ddl.batch_execute("BEGIN; ALTER TABLE outpatient.line ADD COLUMN more int").expect("DDL");
    let ran = workplace.run(SNAPSHOT, &[]).expect(4);
    let said = "cannot read the structure of the tables: somebody changes the structure of 'outpatient.line' (DDL): no lock within 3 s";
    assert_eq!(ran.says(said).hint(), "nothing was changed; run the same command again when that change is done.");
    assert_eq!(entries(&workplace), [""; 0]);
    ddl.batch_execute("COMMIT").expect("a commit");
    assert_eq!(csv(&path(&take(&workplace)), "outpatient.line"), "line_id,charge_id,amount,more\n");
    // A table that only pg_dump wants.
    ddl.batch_execute("BEGIN; ALTER TABLE outpatient.other ADD COLUMN more int").expect("DDL");
    let ran = workplace.run(SNAPSHOT, &[]).expect(4);
    let said =
        "cannot dump the schema of the primary: somebody changes the structure of a table (DDL): no lock within 3 s";
    assert_eq!(ran.says(said).hint(), "nothing was taken; run his-snapshot again when that change is done.");
}

#[test]
fn windows_write_while_a_snapshot_runs() {
    let (primary, _standby, workplace) = hospital(SLOW, SLOW_TABLES);
    let mut running = reading(&primary, &workplace);
    let mut client = primary.client("his");
    client.batch_execute("SET lock_timeout = '100ms'").expect("a setting");
    for statement in
        ["UPDATE slow SET id = id + 1000", "DELETE FROM slow WHERE id = 1001", "INSERT INTO slow VALUES (1)"]
    {
        client.batch_execute(statement).expect("no lock in the way");
    }
    for statement in ["VACUUM slow", "ANALYZE slow"] {
        client.batch_execute(statement).expect("no lock in the way");
    }
    assert!(running.running());
}

#[test]
fn p16_a_killed_run_leaves_no_session_on_the_primary() {
    let (primary, _standby, workplace) = hospital(SLOW, SLOW_TABLES);
    reading(&primary, &workplace).kill();
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'his-snapshot%'";
    wait_until("the sessions are gone", Duration::from_secs(5), || primary.value("his", left) == "0");
}

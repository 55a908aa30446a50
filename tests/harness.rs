//! The harness itself: what the other tests stand on has to hold first.

use his_emergency::db::Client;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::client::multi_host;
use crate::support::{
    Cluster, Kind, Mode, Outcome, Program, Proxy, Windows, Workplace, assert_same_tables, differences, standby_first,
    wait_until,
};

const SYSTEM: &str = "SELECT system_identifier FROM pg_control_system()";
const SIDE: &str = "SELECT current_setting('port')";

#[test]
fn primary_standby_and_third_are_different_systems_that_listen_on_sockets_only() {
    let (primary, standby) = Cluster::pair();
    let third = Cluster::start_with(Kind::Third, &[("fsync", "on"), ("max_prepared_transactions", "5")]);
    let mut systems: Vec<String> = [&primary, &standby, &third].map(|c| c.value("postgres", SYSTEM)).to_vec();
    systems.sort();
    systems.dedup();
    assert_eq!(systems.len(), 3, "{systems:?}");
    assert_eq!(third.value("postgres", "SHOW fsync"), "on");
    assert_eq!(third.value("postgres", "SHOW max_prepared_transactions"), "5");
    assert_eq!(primary.value("postgres", "SHOW fsync"), "off");
    assert_eq!(primary.value("postgres", "SHOW listen_addresses"), "");
    assert_eq!(primary.value("postgres", "SHOW server_encoding"), "UTF8");
    assert_eq!(primary.value("postgres", "SHOW lc_messages"), "C.UTF-8");
    assert_eq!(primary.value("postgres", SIDE), primary.port().to_string());
    assert_eq!(standby.psql("postgres", SIDE), standby.port().to_string());
    let keywords = Program::psql(&primary.libpq("postgres")).stdin(SIDE).run().expect(0);
    assert_eq!(keywords.stdout.trim(), primary.port().to_string());
    assert!(primary.socket_dir().join(".s.PGSQL.54321").as_os_str().len() <= 107);
}

#[test]
fn a_server_killed_and_started_again_has_what_was_committed() {
    let cluster = Cluster::start(Kind::Primary);
    cluster.create_database("收费 \"his\"");
    cluster.psql("收费 \"his\"", "CREATE TABLE t (a int); INSERT INTO t VALUES (1);");
    for stop in [Cluster::stop_immediate, Cluster::stop_fast] {
        stop(&cluster);
        assert!(!cluster.running());
        assert!(cluster.connect("postgres", "postgres").is_err());
        cluster.start_again();
        assert_eq!(cluster.rows("收费 \"his\"", "SELECT a, NULL, '' FROM t"), ["1||"]);
    }
    assert!(cluster.log().contains("database system was not properly shut down"), "{}", cluster.log());
}

#[test]
fn psql_stops_at_an_error_and_says_it() {
    let cluster = Cluster::start(Kind::Primary);
    let said = cluster.try_psql("postgres", "SELECT 1;\nSELECT 1/0;\nCREATE TABLE never ();").expect_err("an error");
    assert!(said.contains("division by zero"), "{said}");
    assert_eq!(cluster.value("postgres", "SELECT to_regclass('never') IS NULL"), "t");
}

#[test]
fn a_frozen_server_is_silent_and_goes_on_where_it_was() {
    let cluster = Cluster::start(Kind::Primary);
    let mut client = cluster.client("postgres");
    cluster.freeze();
    let asked = Program::psql(&format!("{} connect_timeout=2", cluster.libpq("postgres"))).stdin(SIDE).run();
    assert_eq!(asked.code, 2, "{}", asked.shown());
    assert!(cluster.running());
    cluster.thaw();
    let row = client.query_one("SELECT 1", &[]).expect("the session lives on");
    assert_eq!(row.get::<_, i32>(0), 1);
    cluster.freeze();
    cluster.stop_immediate();
    assert!(!cluster.running());
}

#[test]
fn the_proxy_passes_delays_swallows_and_cuts() {
    let cluster = Cluster::start(Kind::Primary);
    for proxy in [Proxy::unix(&cluster), Proxy::tcp(&cluster)] {
        let through = |wait: &str| {
            let conninfo = format!("host={} port={} user=postgres dbname=postgres {wait}", proxy.host(), proxy.port());
            Program::psql(&conninfo).stdin(SIDE).run()
        };
        assert_eq!(through("").expect(0).stdout, "54321\n");
        let mut client = Client::plain(&proxy.url("postgres")).expect("it passes");
        let rows = client.query("SELECT repeat('x', 1000) FROM generate_series(1, 5000)", &[]).expect("it passes");
        assert_eq!(rows.len(), 5000);

        proxy.set(Mode::Delay(Duration::from_millis(100)));
        let began = Instant::now();
        client.simple_query("SELECT 1").expect("it only takes time");
        assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());

        proxy.set(Mode::Swallow);
        let before = proxy.accepted();
        let ran = through("connect_timeout=2").expect(2);
        assert!(ran.stderr.contains("timeout expired"), "{}", ran.stderr);
        assert!(proxy.accepted() > before, "it is accepted, and gets no answer");
        proxy.set(Mode::Pass);
        client.simple_query("SELECT 1").expect("the connection has outlived the silence");

        proxy.set(Mode::Cut);
        client.simple_query("SELECT 1").expect_err("the connection is cut");
        let ran = through("").expect(2);
        assert!(ran.stderr.contains("failed: No such file") || ran.stderr.contains("refused"), "{}", ran.stderr);
        proxy.set(Mode::Pass);
        assert_eq!(through("").expect(0).stdout, "54321\n");
    }
}

/// A primary and a standby with the same table, the standby read-only as when it is closed.
fn two_sides() -> (Cluster, Cluster) {
    let (primary, standby) = Cluster::pair();
    for cluster in [&primary, &standby] {
        cluster.create_database("his");
        cluster.psql("his", "CREATE TABLE work (client int, turn int, PRIMARY KEY (client, turn));");
    }
    close(&standby);
    (primary, standby)
}

fn close(standby: &Cluster) {
    standby.psql("postgres", "ALTER DATABASE his SET default_transaction_read_only = on");
}

const WORK: &str = "INSERT INTO work VALUES (:client, :turn); SELECT 'registered';";

#[test]
fn windows_step_over_a_closed_standby_and_move_when_it_opens() {
    let (primary, standby) = two_sides();
    let windows = Windows::new(&standby_first(&standby, &primary, "postgres", "his"), WORK).clients(4).open();
    windows.wait_for_every_client(&primary);
    assert_eq!(windows.committed_on(&standby), 0);
    primary.stop_immediate();
    standby.psql("postgres", "ALTER DATABASE his RESET default_transaction_read_only");
    windows.wait_for_every_client(&standby);
    primary.start_again();
    windows.wait_for_commits(&standby, 10);
    let log = windows.close();

    for cluster in [&primary, &standby] {
        let certain = log.iter().filter(|a| a.is_commit_on(cluster)).count();
        let possible = log.iter().filter(|a| a.outcome == Outcome::Unknown && a.port == Some(cluster.port())).count();
        let there: usize = cluster.value("his", "SELECT count(*) FROM work").parse().expect("a number");
        assert!((certain..=certain + possible).contains(&there), "{there} rows, {certain} commits, {possible} unknown");
    }
    assert!(log.iter().filter(|a| a.outcome == Outcome::Committed).all(|a| a.output == ["registered"]), "{log:#?}");
    assert!(log.iter().filter(|a| a.outcome == Outcome::Failed).all(|a| !a.stderr.is_empty()), "{log:#?}");
}

#[test]
fn a_window_that_keeps_its_session_reconnects_when_it_breaks() {
    let (primary, standby) = two_sides();
    let string = standby_first(&standby, &primary, "postgres", "his");
    let windows = Windows::new(&string, WORK).clients(3).persistent().pause(Duration::ZERO).open();
    windows.wait_for_commits(&primary, 50);
    assert!(windows.log().iter().all(|a| a.session == 0 && a.outcome == Outcome::Committed), "{:#?}", windows.log());
    standby.psql("postgres", "ALTER DATABASE his RESET default_transaction_read_only");
    windows.wait_for_commits(&primary, 10);
    assert_eq!(windows.committed_on(&standby), 0, "an open session stays where it is");
    primary.stop_immediate();
    windows.wait_for_every_client(&standby);
    standby.psql("his", "ALTER TABLE work RENAME TO gone");
    wait_until("an error", Duration::from_secs(10), || {
        windows.log().last().is_some_and(|a| a.stderr.contains("42P01") || a.stderr.contains("does not exist"))
    });
    standby.psql("his", "ALTER TABLE gone RENAME TO work");
    windows.wait_for_every_client(&standby);
    let log = windows.close();
    assert!(
        log.iter().filter(|a| a.is_commit_on(&standby)).all(|a| a.session == 1),
        "an error ends no session: {log:#?}"
    );
}

#[test]
fn a_window_on_a_silent_server_is_stuck_and_a_script_that_fails_commits_nothing() {
    let (primary, standby) = two_sides();
    let proxy = Proxy::unix(&primary);
    let string = multi_host(&[(proxy.host(), proxy.port())], "postgres", "his");
    let windows = Windows::new(&string, WORK).clients(1).persistent().limit(Duration::from_secs(1)).open();
    windows.wait_for_commits(&primary, 5);
    proxy.set(Mode::Swallow);
    wait_until("stuck", Duration::from_secs(10), || windows.log().iter().any(|a| a.outcome == Outcome::Stuck));
    proxy.set(Mode::Pass);
    windows.wait_for_commits(&primary, 5);
    drop(windows);

    let script = "BEGIN; INSERT INTO work VALUES (-1, :turn); SELECT 1/:turn; COMMIT;";
    let string = standby_first(&standby, &primary, "postgres", "his");
    let windows = Windows::new(&string, script).script().clients(1).open();
    windows.wait_for_commits(&primary, 3);
    let log = windows.close();
    assert_eq!(log[0].outcome, Outcome::Failed);
    assert!(log[0].stderr.contains("division by zero"), "{}", log[0].stderr);
    assert_eq!(primary.value("his", "SELECT min(turn) FROM work WHERE client = -1"), "1");
}

#[test]
fn databases_are_compared_row_for_row_whatever_their_settings() {
    let (primary, standby) = Cluster::pair();
    let odd = "ALTER DATABASE his SET DateStyle = 'SQL, DMY'; ALTER DATABASE his SET extra_float_digits = 0;
               ALTER DATABASE his SET TimeZone = 'America/New_York';";
    for (cluster, rows) in [(&primary, "1, 2, 3"), (&standby, "3, 1, 2")] {
        cluster.create_database("his");
        cluster.psql(
            "his",
            &format!(
                "CREATE SCHEMA \"门诊\"; CREATE SCHEMA his_emergency; CREATE TABLE his_emergency.ours (a int);
                 CREATE TABLE \"门诊\".\"挂号 \"\"x\"\"\" (id int, t text, at timestamptz, f float8, seen timestamptz DEFAULT clock_timestamp());
                 INSERT INTO \"门诊\".\"挂号 \"\"x\"\"\" SELECT i, NULLIF('v' || i, 'v2'), 'epoch', i / 3.0 FROM unnest(array[{rows}]) AS i;
                 CREATE TABLE none (); CREATE TABLE parts (a int) PARTITION BY LIST (a);
                 CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1); INSERT INTO parts VALUES (1);"
            ),
        );
    }
    standby.psql("his", odd);
    standby.psql("his", "INSERT INTO his_emergency.ours VALUES (1)");
    let leave_out = ["门诊.挂号 \"x\".seen"];
    assert_same_tables((&primary, "his"), (&standby, "his"), &leave_out);
    let digest = primary.digest("his");
    assert_eq!(digest.keys().collect::<Vec<_>>(), ["public.none", "public.part1", "门诊.挂号 \"x\""]);
    assert_eq!(digest["public.part1"].0, 1);
    assert_eq!(differences(&digest, &standby.digest("his")), ["门诊.挂号 \"x\": 3 rows and 3 rows"]);

    standby.psql("his", "UPDATE \"门诊\".\"挂号 \"\"x\"\"\" SET t = '' WHERE t IS NULL");
    let panic = std::panic::catch_unwind(|| assert_same_tables((&primary, "his"), (&standby, "his"), &leave_out));
    let message = panic.expect_err("NULL is not ''").downcast::<String>().expect("a message");
    assert!(message.contains("\n  only left: (2,,") && message.contains("\n  only right: (2,\"\","), "{message}");
}

#[test]
fn a_workplace_writes_a_profile_and_runs_our_programs() {
    let (primary, standby) = Cluster::pair();
    let mut workplace = Workplace::new(&primary, &standby, "[[table]]\nname = \"public.t\"\n");
    workplace.set("limits", "max_age", "\"1h\"");
    workplace.edit(|profile| {
        profile.set("site", "code", "\"02\"").unset("site", "name");
    });
    let text = fs::read_to_string(workplace.config()).expect("there is a profile");
    for part in
        ["format = 1\n", "[site]\ncode = \"02\"\n", "[limits]\nmax_age = \"1h\"\n", "[[table]]\nname = \"public.t\"\n"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert!(text.contains("[primary]\nurl = \"postgresql://postgres@/his?host=%2Ftmp%2Fhis-"), "{text}");
    assert!(workplace.store().is_dir());
    let ran = workplace.run("his-snapshot", &["--version"]).expect(0);
    assert!(ran.hint().is_empty());
}

#[test]
fn a_started_program_can_be_frozen_killed_and_waited_for() {
    let shell = |script: &str| Program::at(Path::new("/bin/sh")).args(["-c", script]);
    let mut program = shell("echo began; sleep 100").start();
    program.wait_for("began");
    program.freeze();
    program.thaw();
    assert!(program.running());
    let ran = program.kill();
    assert_eq!((ran.code, ran.stdout.as_str()), (137, "began\n"));
    let ran =
        shell("cat; echo '{\"a\":1}'; echo 'HINT: do this' >&2; exit 3").stdin("").run().expect(3).says("do this");
    assert_eq!((ran.json()["a"].as_i64(), ran.hint()), (Some(1), "do this"));
    let hangs = std::panic::catch_unwind(|| shell("sleep 100").limit(Duration::from_millis(50)).run());
    let message = hangs.expect_err("it hangs").downcast::<String>().expect("a message");
    assert!(message.contains("hangs"), "{message}");
}

/// Not a test of its own: what the next test starts and kills.
#[test]
#[ignore = "run by a_killed_test_process_leaves_nothing_behind"]
fn a_process_to_be_killed() {
    let cluster = Cluster::start(Kind::Third);
    cluster.freeze();
    println!("\nplace: {}", cluster.socket_dir().parent().expect("in a place").display());
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_killed_test_process_leaves_nothing_behind() {
    let output = Program::at(&std::env::current_exe().expect("this test")).args([
        "harness::a_process_to_be_killed",
        "--exact",
        "--ignored",
        "--nocapture",
    ]);
    let mut process = output.start();
    process.wait_for("place: ");
    let place = process.stdout().lines().find_map(|l| l.strip_prefix("place: ").map(PathBuf::from)).expect("a place");
    assert!(place.is_dir());
    assert_ne!(process_count(&place), 0, "a server works in {}", place.display());
    process.kill();
    wait_until("the watchdog clears away", Duration::from_secs(20), || !place.exists() && process_count(&place) == 0);
}

/// The processes that work in or below a directory.
fn process_count(place: &Path) -> usize {
    let processes = fs::read_dir("/proc").expect("/proc can be read").flatten();
    processes.filter(|p| fs::read_link(p.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(place))).count()
}

#[test]
fn clusters_do_not_need_the_thread_that_started_them() {
    let cluster = std::thread::spawn(|| Cluster::start(Kind::Primary)).join().expect("it starts");
    std::thread::sleep(Duration::from_millis(200));
    assert!(cluster.running());
    assert_eq!(cluster.value("postgres", "SELECT 1"), "1");
    let seen = Command::new("ls").arg(cluster.socket_dir()).stdin(Stdio::null()).output().expect("ls runs");
    assert!(seen.status.success());
}

//! A primary that is named by several hosts, and fails over among them.

use super::{Campus, SCHEMA};
use crate::support::workplace::DB;
use crate::support::{Cluster, Kind, PgBouncer, Ran, Replica};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A primary and its replica under one URL, passwords of their own in the password file, and a standby.
struct Two {
    primary: Cluster,
    replica: Replica,
    campus: Campus,
    passwords: PathBuf,
}

impl Two {
    fn new() -> Two {
        let primary = Cluster::start(Kind::Primary);
        primary.create_database(DB);
        primary.execute(DB, SCHEMA);
        primary.execute(
            "postgres",
            "CREATE ROLE his_control SUPERUSER LOGIN PASSWORD 'geheim'; CREATE ROLE his_app LOGIN",
        );
        let hba = primary.data().join("pg_hba.conf");
        let rules = fs::read_to_string(&hba).expect("there are rules");
        fs::write(&hba, format!("local all his_control scram-sha-256\n{rules}")).expect("written");
        primary.execute("postgres", "SELECT pg_reload_conf()");
        let replica = Replica::of(&primary);
        let mut campus = Campus::new(&primary, Kind::Standby, "01", 900_000);
        let (first, second) = (primary.socket_dir(), replica.socket_dir());
        let (first, second) = (first.display(), second.display());
        let url = format!(
            "host={first},{second} port={},{} user=his_control dbname={DB} target_session_attrs=read-write",
            primary.port(),
            Replica::PORT
        );
        campus.work.set("primary", "url", &format!("\"{url}\""));
        campus.work.set("standby", "window_roles", "[\"his_app\"]");
        let passwords = campus.work.path().join("pgpass");
        let lines = [(format!("{first}"), primary.port()), (format!("{second}"), Replica::PORT)]
            .map(|(host, port)| format!("{host}:{port}:*:his_control:geheim\n"));
        fs::write(&passwords, lines.concat()).expect("written");
        fs::set_permissions(&passwords, fs::Permissions::from_mode(0o600)).expect("set");
        let two = Two { primary, replica, campus, passwords };
        two.run("his-load-standby", &["init"]).expect(0);
        two
    }

    fn run(&self, name: &str, args: &[&str]) -> Ran {
        self.campus.work.program(name, args).env("PGPASSFILE", &self.passwords).run()
    }

    fn fail_over(&self) {
        self.replica.catch_up(&self.primary);
        self.primary.stop_immediate();
        self.replica.promote();
    }
}

const APP: &str = "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'his_app'";

#[test]
fn every_step_finds_the_primary_of_two_hosts_before_and_after_it_fails_over_with_the_password_of_each() {
    let two = Two::new();
    two.run("his-snapshot", &[]).expect(0);
    two.run("his-load-standby", &[]).expect(0);
    two.run("his-switch", &["standby", "--reason", "slow"]).expect(0);
    assert_eq!(two.primary.value(DB, APP), "f");
    for n in 1..=3 {
        two.campus.visit(n, 2, 100 * n);
    }
    two.run("his-export-queue", &[]).expect(0);
    assert_eq!(two.run("his-merge", &["--early", "--json"]).expect(0).json()["new"]["merged"], 3);
    two.fail_over();
    assert_eq!(two.replica.value(APP), "f");
    two.campus.visit(4, 2, 400);
    two.run("his-export-queue", &[]).expect(0);
    assert_eq!(two.run("his-merge", &["--early", "--json"]).expect(0).json()["new"]["merged"], 1);
    two.campus.visit(5, 2, 500);
    let back = two.run("his-switch", &["primary", "--json"]).expect(0);
    assert_eq!((&back.json()["mode"], &back.json()["balanced"]), (&json!("normal"), &json!(true)));
    assert_eq!(two.replica.value(APP), "t");
    assert_eq!(two.replica.value("SELECT count(*), sum(total) FROM op.charge WHERE id >= 900000"), "5|15.0000");
    two.run("his-merge", &["reconcile"]).expect(0);
    assert_eq!(two.run("his-snapshot", &["--json"]).expect(0).json()["kind"], "full");
    two.run("his-load-standby", &[]).expect(0);
    let watched = two.run("his-watch", &["--json"]);
    assert!(watched.stdout.contains("primary"), "{}", watched.shown());
}

#[test]
fn two_hosts_that_both_take_writes_are_refused_and_a_frozen_one_is_passed_over() {
    let two = Two::new();
    two.fail_over();
    two.primary.start_again();
    let refused = two.run("his-snapshot", &[]).expect(4).says("both take writes");
    assert!(refused.hint().contains("stop the one that is not the primary any more"), "{}", refused.hint());
    two.run("his-merge", &[]).expect(4).says("both take writes");
    two.primary.freeze();
    two.run("his-snapshot", &[]).expect(0);
    two.run("his-load-standby", &[]).expect(0);
    two.primary.thaw();
    // Neither is dead, and a fence on one would leave the windows of the other at work.
    two.run("his-switch", &["standby", "--reason", "test"]).expect(4).says("both take writes");
    two.primary.freeze();
    // While it answers, a primary that is alive beside a frozen host is fenced and not taken for dead.
    two.run("his-switch", &["standby", "--reason", "test"]).expect(0);
    assert_eq!(two.replica.value(APP), "f");
    two.primary.thaw();
    two.primary.stop_immediate();
    two.campus.visit(1, 2, 100);
    two.run("his-switch", &["primary"]).expect(0);
    assert_eq!(brought_there(&two), "1|1.0000");
}

fn brought_there(two: &Two) -> String {
    two.replica.value("SELECT count(*), sum(total) FROM op.charge WHERE id >= 900000")
}

#[test]
fn while_no_host_takes_writes_that_is_said_of_each_and_nothing_is_changed() {
    let two = Two::new();
    two.run("his-snapshot", &[]).expect(0);
    two.run("his-load-standby", &[]).expect(0);
    two.replica.catch_up(&two.primary);
    two.primary.stop_immediate();
    let ran = two.run("his-merge", &[]).expect(6).says("it is a replica in recovery, which takes no writes");
    assert!(
        ran.stderr.contains(&format!("{}:{}", two.primary.socket_dir().display(), two.primary.port())),
        "{}",
        ran.shown()
    );
    assert!(!ran.stderr.contains("geheim"));
    // The windows do not wait for the failover.
    two.run("his-switch", &["standby", "--reason", "test"]).expect(0);
    two.campus.visit(1, 2, 100);
    two.run("his-switch", &["primary"]).expect(6);
    two.replica.promote();
    two.run("his-switch", &["primary"]).expect(0);
    assert_eq!(brought_there(&two), "1|1.0000");
}

#[test]
fn a_pgbouncer_is_not_led_to_several_hosts_but_to_the_one_that_the_profile_names_for_it() {
    let primary = Cluster::start(Kind::Primary);
    let mut campus = Campus::new(&primary, Kind::Standby, "01", 900_000);
    let url = format!("host=first,second user=postgres dbname={DB} target_session_attrs=read-write");
    let bouncer = PgBouncer::without(&[]);
    campus.work.edit(|p| {
        p.set("primary", "url", &format!("\"{url}\"")).set("endpoint", "kind", "\"pgbouncer\"");
        p.tables(&(bouncer.profile() + &super::tables(900_000)));
    });
    let refused = campus.work.run("his-switch", &["endpoint"]).expect(2);
    let refused = refused.says("'first,second' names several hosts (expected one)");
    assert!(refused.hint().contains("an address that follows the failover"), "{}", refused.hint());
    assert!(!bouncer.file().exists(), "nothing is written that would lead windows to a host that is not the primary");
    campus.work.edit(|p| {
        p.tables(&(bouncer.profile() + "primary = \"host=follows port=5433\"\n" + &super::tables(900_000)));
    });
    // It is not running here; its file is right.
    campus.work.run("his-switch", &["endpoint"]).expect(3);
    let written = fs::read_to_string(bouncer.file()).expect("written");
    assert!(written.contains(&format!("{DB} = host=follows port=5433 dbname={DB}")), "{written}");
}

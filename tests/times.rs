//! What people read is in the time of the site, wherever the machine thinks it is.

use std::fs;

use crate::support::workplace::DB;
use crate::support::{Cluster, Workplace};

const SCHEMA: &str = "CREATE TABLE t (id bigserial PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('a');";
const TABLES: &str = "[[table]]\nname = \"public.t\"\ncapture = true\n";

/// The same instant as a program's RFC 3339, by the clock on the wall in this zone.
fn on_the_wall(at: &serde_json::Value, zone: chrono_tz::Tz) -> String {
    let at = chrono::DateTime::parse_from_rfc3339(at.as_str().expect("a time")).expect("RFC 3339");
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %:z").to_string()
}

#[test]
fn people_read_the_time_of_the_site_whatever_zone_the_machine_is_in() {
    let (primary, standby) = Cluster::pair();
    primary.create_database(DB);
    primary.execute(DB, SCHEMA);
    let (shanghai, new_york) = (chrono_tz::Asia::Shanghai, chrono_tz::America::New_York);
    for (site, machine) in [(shanghai, new_york), (new_york, shanghai)] {
        let mut work = Workplace::new(&primary, &standby, TABLES);
        work.set("site", "timezone", &format!("\"{}\"", site.name()));
        let run = |program: &str, args: &[&str]| work.program(program, args).env("TZ", machine.name()).run();
        let taken = work.json(0, "his-snapshot", &[]);
        let expected = on_the_wall(&taken["taken_at"], site);
        work.run("his-load-standby", &[]).expect(0);
        fs::create_dir(work.path().join("medium")).unwrap();
        for (program, args) in [
            ("his-snapshot", &["list"][..]),
            ("his-snapshot", &["copy", "--to", "medium"]),
            ("his-load-standby", &["list"]),
        ] {
            let ran = run(program, args).expect(0);
            assert!(ran.stdout.contains(&expected), "{program} {args:?} without {expected}\n{}", ran.shown());
        }
        // A new one, in talk and result; and in the plan of its load.
        let ran = run("his-snapshot", &[]).expect(0);
        let newest = work.json(0, "his-snapshot", &["list"])["snapshots"][1]["taken_at"].clone();
        let expected = format!("data as of {}", on_the_wall(&newest, site));
        assert!(ran.stdout.contains(&expected) && ran.stderr.contains(&expected), "{expected}\n{}", ran.shown());
        run("his-load-standby", &["--dry-run"]).expect(0).says(&expected);
        // Since when a lock is held.
        let lock = work.store().join("locks/snapshot.lock");
        let held = fs::File::open(&lock).unwrap();
        held.lock().unwrap();
        let holder =
            r#"{"program":"his-snapshot","pid":1,"host":"elsewhere","by":"anna","since":"2026-11-23T01:02:03Z"}"#;
        fs::write(&lock, holder).unwrap();
        let since = on_the_wall(&"2026-11-23T01:02:03Z".into(), site);
        run("his-snapshot", &[]).expect(7).says(&format!("holds the lock since {since}"));
        drop(held);
        // And the log.
        let ran = run("his-snapshot", &["-v"]).expect(0);
        let offset = &since[since.len() - 6..];
        let lines: Vec<&str> = ran.stderr.lines().filter(|l| l.starts_with('[')).collect();
        assert!(!lines.is_empty() && lines.iter().all(|l| l.contains(&format!(" {offset} INFO"))), "{}", ran.shown());
        standby.execute("postgres", "DROP DATABASE IF EXISTS his_g1");
    }
}

#[test]
fn a_time_zone_that_does_not_exist_is_a_mistake_of_the_profile() {
    let (primary, standby) = Cluster::pair();
    let mut work = Workplace::new(&primary, &standby, TABLES);
    work.set("site", "timezone", "\"Asia/Peking\"");
    let ran = work.run("his-switch", &["status"]).expect(2);
    assert!(ran.stderr.contains("timezone") && ran.stderr.contains("'Asia/Peking'"), "{}", ran.shown());
}

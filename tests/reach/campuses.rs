//! One snapshot feeds the standbys of several campuses; each has its own site, numbers and store, and brings back its own.

use super::{Campus, SCHEMA, brought};
use crate::support::workplace::DB;
use crate::support::{Cluster, Kind};
use serde_json::{Value, json};
use std::fs;

/// The main campus and two more, loaded with one snapshot of the first.
fn campuses() -> (Cluster, [Campus; 3]) {
    let primary = primary();
    let main = Campus::new(&primary, Kind::Standby, "01", 900_000);
    let east = Campus::new(&primary, Kind::Third, "02", 901_000);
    let west = Campus::new(&primary, Kind::Standby, "W3", 902_000);
    let taken = main.work.json(0, "his-snapshot", &[]);
    assert_eq!(main.load()["snapshot"], taken["snapshot"]);
    for campus in [&east, &west] {
        let fetched = campus.fetch(&main);
        assert_eq!((&fetched["snapshot"], &fetched["site"]), (&taken["snapshot"], &json!("01")));
        assert_eq!(fetched["fetched"], json!([taken["snapshot"]]));
        assert_eq!(campus.load()["snapshot"], taken["snapshot"]);
    }
    (primary, [main, east, west])
}

fn primary() -> Cluster {
    let primary = Cluster::start(Kind::Primary);
    primary.create_database(DB);
    primary.execute(DB, SCHEMA);
    primary
}

/// What each campus does while the primary is away, two batches of it. East and west each do something that only one of all
/// can have done: the last place at schedule 1 (all three), the phone of patient 200 (main and east), a registration of
/// patient 210 on that day (main and west).
fn day(campuses: &[Campus; 3]) {
    let [main, east, west] = campuses;
    for (n, campus) in (0..).zip(campuses) {
        for i in 0..4 {
            campus.visit(10 * n + i + 1, 2, 1000 * (n + 1) + i);
        }
        campus.export();
        campus.visit(10 * n + 9, 1, 700); // the last place
        campus.window(&format!("UPDATE op.patient SET phone = '139{n}' WHERE id = {}", 100 + n));
    }
    for (campus, phone) in [(main, "1380000"), (east, "1370000")] {
        campus.window(&format!("UPDATE op.patient SET phone = '{phone}' WHERE id = 200"));
    }
    main.visit(210, 3, 2100);
    west.visit(210, 3, 2100);
    for campus in campuses {
        campus.export();
    }
}

fn money(status: &Value, table: &str) -> [String; 4] {
    let of = status["money"].as_array().expect("money").iter().find(|m| m["table"] == table).expect(table);
    ["captured", "merged", "held", "rejected"].map(|k| of[k].as_str().expect("an amount").to_owned())
}

fn reconciled(campus: &Campus) {
    let json = campus.work.json(0, "his-merge", &["reconcile"]);
    assert_eq!((&json["balanced"], &json["differences"]), (&json!(true), &json!([])), "{}: {json}", campus.code);
}

/// All open at once; `merge` brings back what is exported, in some order; then all return, and everything is accounted for.
fn three_at_once(merge: impl FnOnce(&[Campus; 3]), order: [usize; 3]) {
    let (primary, campuses) = campuses();
    primary.stop_immediate();
    for campus in &campuses {
        assert_eq!(campus.open(), format!("{}-0001", campus.code));
    }
    day(&campuses);
    primary.start_again();
    merge(&campuses);
    let mut first = true;
    let mut accounts = [Value::Null, Value::Null, Value::Null];
    for n in order {
        // Who comes first has nobody to meet.
        campuses[n].work.run("his-export-queue", &[]).expect(0);
        let code = i32::from(!first) * 3;
        first = false;
        accounts[n] = campuses[n].home(code);
    }
    let held: usize = campuses.iter().map(|c| c.held_for().len()).sum();
    assert_eq!(held, 4, "the place twice, the phone and the registration once");
    let units = |n: usize| accounts[n]["units"].clone();
    let total = |what: &str| (0..3).map(|n| units(n)[what].as_u64().expect("a count")).sum::<u64>();
    assert_eq!((total("captured"), total("merged"), total("held"), total("rejected")), (22, 18, 4, 0));
    // Each number is of one campus, and to the cent what its windows took and what is not held.
    for (n, campus) in campuses.iter().enumerate() {
        let [charges, payments] = ["op.charge", "op.payment"].map(|t| money(&accounts[n], t));
        assert_eq!(charges, payments);
        let rows = brought(&primary, 900_000 + 1000 * n as u64);
        let merged = charges[1].clone();
        assert!(rows.ends_with(&format!(" {merged}00")) || rows.ends_with(&format!(" {merged}")), "{rows}, {merged}");
        reconciled(campus);
    }
    assert_eq!(primary.value(DB, "SELECT slots_left FROM op.schedule WHERE id = 1"), "0");
    assert_eq!(primary.value(DB, "SELECT slots_left FROM op.schedule WHERE id = 2"), "488");
    assert_eq!(primary.value(DB, "SELECT count(*) FROM op.registration WHERE patient_id = 210"), "1");
    assert_eq!(
        primary.value(DB, "SELECT string_agg(phone, ',' ORDER BY id) FROM op.patient WHERE id BETWEEN 100 AND 102"),
        "1390,1391,1392"
    );
    // Everything is merged once: again is nothing.
    for campus in &campuses {
        let again = campus.work.run("his-merge", &["--json"]);
        assert_eq!((&again.json()["new"]["merged"], &again.json()["new"]["held"]), (&json!(0), &json!(0)));
    }
}

#[test]
fn p10_three_campuses_open_at_once_and_merged_one_after_the_other_are_accounted_for_to_the_cent() {
    three_at_once(|_| {}, [0, 1, 2]);
}

#[test]
fn p10_three_campuses_merged_in_another_order_with_their_batches_interleaved_are_accounted_for_to_the_cent() {
    let batch = |c: &Campus, n: u32| {
        let dir = c.work.store().join(format!("queue/{}-0001/{n:06}", c.code)).display().to_string();
        let ran = c.work.run("his-merge", &["--early", &dir]);
        assert!(matches!(ran.code, 0 | 3), "{}", ran.shown());
    };
    three_at_once(
        |[main, east, west]| {
            batch(west, 1);
            batch(main, 1);
            batch(west, 2);
            batch(east, 1);
            batch(main, 2);
        },
        [2, 1, 0],
    );
}

#[test]
fn a_snapshot_is_fetched_whole_with_what_it_stands_on_and_loaded_only_where_the_profile_says_so() {
    let primary = primary();
    let mut main = Campus::new(&primary, Kind::Standby, "01", 900_000);
    main.work.set("store", "full_every", "\"24h\"");
    let mut east = Campus::new(&primary, Kind::Third, "02", 901_000);
    let full = main.work.json(0, "his-snapshot", &[])["snapshot"].clone();
    let from = main.work.store().join("snapshots");
    let fetch = ["fetch", "--from", from.to_str().expect("UTF-8")];
    east.fetch(&main);
    let again = east.work.json(0, "his-snapshot", &fetch);
    assert_eq!((&again["snapshot"], &again["fetched"]), (&full, &json!([])));
    assert_eq!(east.load()["snapshot"], full);
    // Deltas come along, and bring the generation forward.
    let mut deltas = Vec::new();
    for n in 0..2 {
        primary.execute(DB, &format!("UPDATE op.patient SET phone = 'new{n}' WHERE id = 7"));
        let taken = main.work.json(0, "his-snapshot", &[]);
        assert_eq!(taken["kind"], "delta");
        deltas.push(taken["snapshot"].clone());
    }
    let dry = east.work.json(0, "his-snapshot", &[&fetch[..], &["--dry-run"]].concat());
    assert_eq!((&dry["fetched"], &dry["verified"]), (&json!(deltas), &json!(false)));
    assert_eq!(east.fetch(&main)["fetched"], json!(deltas));
    let loaded = east.load();
    assert_eq!((&loaded["snapshot"], &loaded["generation"]), (&deltas[1], &json!(1)));
    assert_eq!(east.standby.value("his_g1", "SELECT phone FROM op.patient WHERE id = 7"), "new1");
    // A delta alone, on a stick, is of no use where its full one is not.
    let stick = east.work.path().join("stick");
    fs::create_dir(&stick).expect("made");
    main.work.run("his-snapshot", &["copy", "--to", stick.to_str().expect("UTF-8")]).expect(0);
    let other = Campus::new(&primary, Kind::Standby, "03", 903_000);
    let alone = other.work.run("his-snapshot", &["fetch", "--from", stick.to_str().expect("UTF-8")]).expect(4);
    alone.says("the snapshot '").says("is not there");
    // A damaged one is not brought, and nothing of it stays.
    let id = full.as_str().expect("an id");
    let file = from.join(id).join("schema.dump");
    let mut bytes = fs::read(&file).expect("read");
    bytes[100] ^= 1;
    fs::write(&file, bytes).expect("written");
    other
        .work
        .run("his-snapshot", &["fetch", id, "--from", from.to_str().expect("UTF-8")])
        .expect(5)
        .says("schema.dump");
    let left = fs::read_dir(other.work.store().join("snapshots")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
    // Of the same name and another content.
    east.work.run("his-snapshot", &["fetch", id, "--from", from.to_str().expect("UTF-8")]).expect(5);
    // Without the word of the profile it is another site's.
    east.work.edit(|p| {
        p.unset("store", "snapshots_of");
    });
    let refused = east.work.run("his-load-standby", &[]).expect(4).says("it is of site '01' (the profile is of '02')");
    assert!(refused.hint().contains("snapshots_of"), "{}", refused.hint());
    east.work.run("his-snapshot", &fetch).expect(4).says("it is of site '01'");
}

#[test]
fn a_campus_whose_emergency_numbers_meet_those_of_the_site_that_feeds_it_is_refused() {
    let primary = primary();
    let main = Campus::new(&primary, Kind::Standby, "01", 900_000);
    let east = Campus::new(&primary, Kind::Third, "02", 900_999);
    main.work.run("his-snapshot", &[]).expect(0);
    let from = main.work.store().join("snapshots").display().to_string();
    let refused = east.work.run("his-snapshot", &["fetch", "--from", &from]).expect(4);
    let refused = refused.says("site '01' hands out 900000..900999 of 'op.patient_id_seq' in its emergencies, and the block here is 900999..901998");
    assert!(refused.hint().contains("a block of its own"), "{}", refused.hint());
}

#[test]
fn a_snapshot_of_another_site_that_does_not_say_its_emergency_numbers_is_loaded_with_a_warning() {
    let primary = primary();
    let mut main = Campus::new(&primary, Kind::Standby, "01", 900_000);
    let mut east = Campus::new(&primary, Kind::Third, "02", 900_000);
    let without = |text: String| text.split("[[numbers]]").next().expect("the tables").to_owned();
    let none = without(super::tables(0));
    main.work.edit(|p| {
        p.tables(&none);
    });
    main.work.run("his-snapshot", &[]).expect(0);
    east.fetch(&main);
    let unknown = "WARNING: the snapshot does not say which emergency numbers site '01' hands out";
    let ran = east.work.run("his-load-standby", &[]).expect(0);
    assert!(ran.stderr.contains(unknown) && ran.stderr.contains("his-snapshot check --beside"), "{}", ran.shown());
    // Nothing is loaded, so nothing is said; nor where no numbers are handed out here.
    let again = east.work.run("his-load-standby", &[]).expect(0);
    assert!(!again.stderr.contains("emergency numbers"), "{}", again.shown());
    east.work.edit(|p| {
        p.tables(&none);
    });
    main.work.run("his-snapshot", &["--full"]).expect(0);
    east.fetch(&main);
    let ran = east.work.run("his-load-standby", &[]).expect(0);
    assert!(!ran.stderr.contains("emergency numbers"), "{}", ran.shown());
}

#[test]
fn what_must_be_each_sites_own_is_compared_when_their_profiles_are_checked_beside_each_other() {
    let primary = primary();
    let mut main = Campus::new(&primary, Kind::Standby, "01", 900_000);
    let mut east = Campus::new(&primary, Kind::Third, "02", 901_000);
    let beside = east.work.config().display().to_string();
    let errors = |main: &Campus| {
        let ran = main.work.run("his-snapshot", &["check", "--beside", &beside, "--json"]);
        let list = |what: &str| ran.json()[what].as_array().expect("a list").clone();
        let text = |f: &Value| f["text"].as_str().unwrap_or_default().to_owned();
        let about = |f: &String| f.contains(&beside);
        let found = ["errors", "warnings"].map(|what| list(what).iter().map(text).filter(about).collect::<Vec<_>>());
        (ran.code, found)
    };
    assert_eq!(errors(&main), (0, [vec![], vec![]]));
    main.work.set("standby", "window_roles", "[\"postgres\"]");
    east.work.edit(|p| {
        p.set("standby", "window_roles", "[\"postgres\"]")
            .tables(&super::tables(900_999))
            .set("site", "code", "\"01\"");
    });
    let (code, [wrong, warned]) = errors(&main);
    assert_eq!((code, wrong.len(), warned.len()), (2, 4, 1), "{wrong:?} {warned:?}");
    assert!(wrong[0].ends_with("both are site '01'; events and slips of the two could not be told apart"), "{wrong:?}");
    assert!(wrong[1].ends_with("the blocks 900000..900999 and 900999..901998 of 'op.patient_id_seq' meet: both would hand out the same numbers"), "{wrong:?}");
}

#[test]
fn p6_a_generation_whose_units_are_not_merged_stays_although_another_site_has_merged_units_of_the_same_numbers() {
    let primary = primary();
    let main = Campus::new(&primary, Kind::Standby, "01", 900_000);
    let east = Campus::new(&primary, Kind::Third, "02", 901_000);
    main.work.run("his-snapshot", &[]).expect(0);
    main.load();
    east.fetch(&main);
    east.load();
    // Both are generation 1, and the transaction ids are made the same.
    primary.stop_immediate();
    for campus in [&main, &east] {
        campus.open();
    }
    let xid = |c: &Campus| c.standby.value("postgres", "SELECT pg_current_xact_id()").parse::<u64>().expect("a number");
    let target = xid(&main).max(xid(&east)) + 50;
    for campus in [&main, &east] {
        while xid(campus) < target {}
        assert_eq!(xid(campus), target + 1);
        campus.visit(1, 2, 100);
        campus.export();
    }
    primary.start_again();
    assert_eq!(main.home(0)["units"]["merged"], 1);
    let unit = |c: &Campus| c.standby.value(DB, "SELECT xid FROM his_emergency.exported");
    assert_eq!(unit(&main), unit(&east));
    // East returns and merges later; its next generations push the first one out of use.
    east.work.run("his-switch", &["primary", "--merge-later"]).expect(3);
    for _ in 0..3 {
        main.work.run("his-snapshot", &[]).expect(0);
        east.fetch(&main);
        east.work.run("his-load-standby", &["--accept-shrink"]).expect(0);
    }
    // Another generation takes the standby's name, and gives it back.
    east.open();
    east.work.run("his-switch", &["primary", "--merge-later"]).expect(0);
    main.work.run("his-snapshot", &[]).expect(0);
    east.fetch(&main);
    let loaded = east.work.json(0, "his-load-standby", &[]);
    assert!(east.standby.rows("postgres", "SELECT datname FROM pg_database").iter().any(|d| d == "his_g1"), "{loaded}");
}

#[test]
fn a_site_that_lifts_the_fence_leaves_the_others_fenced_and_none_takes_the_primary_for_one_that_forgot() {
    let primary = primary();
    for role in ["main_app", "east_app"] {
        primary.execute("postgres", &format!("CREATE ROLE {role} LOGIN"));
    }
    let mut main = Campus::new(&primary, Kind::Standby, "01", 900_000);
    let mut east = Campus::new(&primary, Kind::Third, "02", 901_000);
    for (campus, role) in [(&mut main, "main_app"), (&mut east, "east_app")] {
        campus.work.set("standby", "window_roles", &format!("[\"{role}\"]"));
        campus.work.run("his-load-standby", &["init"]).expect(0);
    }
    main.work.run("his-snapshot", &[]).expect(0);
    main.load();
    east.fetch(&main);
    east.load();
    let logins = || {
        primary.value(
            DB,
            "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname ~ '_app$' AND rolcanlogin",
        )
    };
    for campus in [&main, &east] {
        campus.open();
        campus.visit(if campus.code == "01" { 1 } else { 2 }, 2, 100);
    }
    assert_eq!(primary.value(DB, "SELECT count(*) FROM pg_roles WHERE rolname ~ '_app$' AND rolcanlogin"), "0");
    let back = main.work.run("his-switch", &["primary"]).expect(0);
    assert!(back.stderr.contains("no login yet for east_app: 02-0001 goes on"), "{}", back.shown());
    assert_eq!(logins(), "main_app");
    east.export();
    assert_eq!(east.merge(0)["units"]["merged"], 1);
    assert_eq!(east.home(0)["units"]["merged"], 1);
    assert_eq!(logins(), "east_app main_app");
    assert_eq!(
        primary.value(
            DB,
            "SELECT (SELECT count(*) FROM his_emergency.fence) + (SELECT count(*) FROM his_emergency.fence_part)"
        ),
        "0"
    );
}

#[test]
fn sites_that_share_a_window_role_are_told_whose_fence_is_lifted_with_their_own_and_still_merge() {
    let primary = primary();
    primary.execute("postgres", "CREATE ROLE his_app LOGIN");
    let mut main = Campus::new(&primary, Kind::Standby, "01", 900_000);
    let mut east = Campus::new(&primary, Kind::Third, "02", 901_000);
    for campus in [&mut main, &mut east] {
        campus.work.set("standby", "window_roles", "[\"his_app\"]");
        campus.work.run("his-load-standby", &["init"]).expect(0);
    }
    main.work.run("his-snapshot", &[]).expect(0);
    main.load();
    east.fetch(&main);
    east.load();
    for campus in [&main, &east] {
        campus.open();
        campus.visit(if campus.code == "01" { 1 } else { 2 }, 2, 100);
        campus.export();
    }
    let back = main.work.run("his-switch", &["primary"]).expect(0);
    assert!(back.stderr.contains("the fence is lifted for the windows of 02-0001 too"), "{}", back.shown());
    assert_eq!(east.merge(0)["units"]["merged"], 1);
    assert_eq!(east.home(0)["units"]["merged"], 1);
}

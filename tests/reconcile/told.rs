//! What a reconciliation tells beside the sheet: on a terminal, to finance, by the profile's reports.

use super::{DAY, TABLES, reconcile, till, till_with};
use crate::opened::Opened;
use serde_json::{Value, json};

#[test]
fn a_person_reads_it_on_a_terminal_of_100_columns_in_the_words_of_finance() {
    let o = till();
    o.window(&DAY);
    o.window(&[
        "UPDATE h.charge SET total = 101 WHERE id = 4",
        "INSERT INTO h.charge (patient_id, total, refund_of) VALUES (5, -100, 5); UPDATE h.charge SET note = 'x' WHERE id = 5",
        "UPDATE h.schedule SET slots_left = slots_left - 2 WHERE id = 1",
    ]);
    o.meanwhile("UPDATE h.charge SET total = 99 WHERE id = 4; UPDATE h.charge SET note = 'y' WHERE id = 5; UPDATE h.schedule SET slots_left = 1");
    o.merge(3);
    o.meanwhile("UPDATE h.payment SET amount = amount + 0.01 WHERE charge_id = 900001 AND no = 2");
    let ran = o.work.run("his-merge", &["reconcile"]).expect(3);
    let units = o.rows(
        "SELECT event || '/' || generation || '-' || xid FROM his_emergency.unit WHERE status = 'held' ORDER BY xid",
    );
    let (mut shown, expected) = (ran.stdout, include_str!("shown.txt"));
    for (unit, name) in units.iter().zip(["UNIT-1", "UNIT-2"]) {
        shown = shown.replace(unit, name);
    }
    assert_eq!(shown, expected, "now:\n{shown}");
    assert!(expected.lines().all(|l| l.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>() <= 100));
}

#[test]
fn the_file_for_finance_opens_in_excel_and_says_the_same() {
    let o = till();
    o.window(&DAY);
    o.merge(0);
    o.meanwhile("UPDATE h.payment SET amount = amount + 0.01 WHERE charge_id = 900001 AND no = 2");
    let json = reconcile(&o, 3, &["--csv", "finance.csv"]);
    let path = o.work.path().join("finance.csv");
    assert_eq!(json["csv"], json!(path));
    let text = std::fs::read_to_string(&path).expect("the file is there");
    assert!(text.starts_with('\u{feff}'), "Excel takes it for UTF-8");
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split("\r\n").collect();
    assert_eq!(
        lines,
        [
            "项目 section,表 table,列 column,分组 group,收退 kind,应回传 captured,已回传 merged,待核实 held,不予回传 rejected,主库现有 primary,编号 id,主键 key,应有 expected,现有 found,业务号 unit,说明 note",
            "业务 units,,,,,3,3,0,0,,,,,,,01-0001",
            "变更行 rows,,,,,8,8,0,0,,,,,,,01-0001",
            "金额 money,h.charge,total,cashier=7,收费 charges,30.00,30.00,0.00,0.00,30.00,,,,,,",
            "金额 money,h.charge,total,cashier=7,退费 refunds,-100.00,-100.00,0.00,0.00,-100.00,,,,,,",
            "金额 money,h.charge,total,cashier=8,收费 charges,7.50,7.50,0.00,0.00,7.50,,,,,,",
            "金额 money,h.payment,amount,method=CARD,收费 charges,10.00,10.00,0.00,0.00,10.01,,,,,,",
            "金额 money,h.payment,amount,method=CASH,收费 charges,27.50,27.50,0.00,0.00,27.50,,,,,,",
            "金额 money,h.payment,amount,method=CASH,退费 refunds,-100.00,-100.00,0.00,0.00,-100.00,,,,,,",
            "差异 difference,h.payment,amount,method=CARD,,,,,,,1,\"charge_id 900001, no 2\",10.00,10.01,,",
            "",
        ]
    );
}

#[test]
fn what_a_policy_decided_is_counted_and_listed_by_name() {
    let tables = TABLES.replace(
        "name = \"h.patient\"\ncapture = true\n",
        "name = \"h.patient\"\ncapture = true\non_conflict = \"standby\"\n",
    );
    let o = till_with(&tables);
    o.window(&["UPDATE h.patient SET phone = 'ours' WHERE id = 1", "UPDATE h.patient SET phone = 'back' WHERE id = 9"]);
    o.meanwhile("UPDATE h.patient SET phone = 'theirs' WHERE id = 1; DELETE FROM h.patient WHERE id = 9");
    o.merge(0);
    let json = reconcile(&o, 0, &[]);
    let named = |p: &Value| format!("{} {} {} {}", p["table"], p["take"], p["kind"], p["key"]);
    let mut policies: Vec<String> = json["policies"].as_array().expect("a list").iter().map(named).collect();
    policies.sort();
    assert_eq!(
        policies,
        [r#""h.patient" "standby" "changed" {"id":"1"}"#, r#""h.patient" "standby" "missing" {"id":"9"}"#,]
    );
    let shown = o.work.run("his-merge", &["reconcile"]).expect(0).stdout;
    for line in ["h.patient on_conflict = standby (changed): 1", "h.patient on_conflict = standby (missing): 1"] {
        assert!(shown.contains(line), "{shown}");
    }
}

#[test]
fn money_of_a_held_or_rejected_unit_is_in_the_drawer_until_somebody_says_what_became_of_it() {
    let o = till();
    o.window(&["UPDATE h.charge SET total = 130 WHERE id = 1", "UPDATE h.charge SET total = 60 WHERE id = 2"]);
    o.meanwhile("UPDATE h.charge SET total = 99");
    o.merge(3);
    let drawer = |json: &Value| -> Vec<String> {
        let one = |l: &Value| {
            let text = |v: &Value| v.as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {} {}",
                text(&l["status"]),
                text(&l["owed"]),
                text(&l["money"][0]["amount"]),
                text(&l["settled"])
            )
        };
        json["drawer"].as_array().expect("a list").iter().map(one).collect()
    };
    assert_eq!(drawer(&reconcile(&o, 0, &[])), ["held patient 30.00 -", "held hospital -40.00 -"]);
    let id = o.rows("SELECT id FROM his_emergency.conflict WHERE key = '{\"id\" : \"1\"}'");
    o.work
        .run("his-merge", &["resolve", &id[0], "--take", "primary", "--why", "charged twice", "--money", "refunded"])
        .expect(0);
    assert_eq!(drawer(&reconcile(&o, 0, &[])), ["rejected patient 30.00 refunded", "held hospital -40.00 -"]);
}

/// The profile's part for a report of this name, whose query is beside the profile.
fn report(o: &mut Opened, name: &str, query: &str) {
    let tables = format!("{TABLES}\n[[report]]\nname = \"{name}\"\nsql = \"{name}.sql\"\n");
    std::fs::write(o.work.path().join(format!("{name}.sql")), query).expect("written");
    o.work.edit(|profile| {
        profile.tables(&tables);
    });
}

#[test]
fn a_report_of_the_profile_is_asked_over_the_rows_that_the_event_merged() {
    let mut o = till();
    o.window(&DAY);
    o.window(&["UPDATE h.charge SET total = 101 WHERE id = 4", "UPDATE h.charge SET cashier = 8 WHERE id = 900001"]);
    o.meanwhile("UPDATE h.charge SET total = 99 WHERE id = 4");
    o.merge(3);
    // What is held is not among them; each row is as it ended; a table of which nothing was captured is empty.
    report(
        &mut o,
        "cashiers",
        "-- Who charged what.\nSELECT c.id, c.cashier, c.total, p.phone FROM pg_temp.\"captured h.charge\" c LEFT JOIN \"captured h.patient\" p USING (id)\n ORDER BY c.id -- by number\n;\n",
    );
    let json = reconcile(&o, 0, &[]);
    let row =
        |id: &str, cashier: &str, total: &str| json!({"id": id, "cashier": cashier, "total": total, "phone": null});
    assert_eq!(
        json["reports"],
        json!([{"name": "cashiers", "rows": [
            row("3", "7", "100.00"), row("900001", "8", "30.00"), row("900002", "8", "7.50"), row("900003", "7", "-100.00"),
        ]}])
    );
    let shown = o.work.run("his-merge", &["reconcile"]).expect(0).stdout;
    assert!(shown.contains("\ncashiers\n id      cashier  total    phone\n 3       7        100.00"), "{shown}");
}

#[test]
fn a_report_writes_nothing_and_one_that_fails_is_named_and_stops_nothing() {
    let mut o = till();
    o.window(&DAY);
    o.merge(0);
    for (query, error) in [
        ("UPDATE h.charge SET total = 0 RETURNING id", "syntax error"),
        ("SELECT 1; DELETE FROM h.payment", "syntax error"),
        (
            "WITH gone AS (DELETE FROM h.payment RETURNING 1) SELECT * FROM gone",
            "WITH clause containing a data-modifying statement must be at the top level",
        ),
        ("SELECT nextval('h.charge_id_seq')", "SQLSTATE 25006"),
        ("SELECT * FROM h.nothing", "relation \"h.nothing\" does not exist"),
    ] {
        report(&mut o, "bad", query);
        let json = reconcile(&o, 3, &[]);
        assert_eq!((&json["balanced"], &json["reports"][0]["rows"]), (&json!(true), &json!([])));
        let told = json["reports"][0]["error"].as_str().expect("an error");
        assert!(told.starts_with("cannot ask the report 'bad'") && told.contains(error), "{query}: {told}");
    }
    std::fs::remove_file(o.work.path().join("bad.sql")).expect("removed");
    let told = reconcile(&o, 3, &[])["reports"][0]["error"].as_str().expect("an error").to_owned();
    assert!(told.contains("bad.sql': No such file"), "{told}");
    assert_eq!(o.rows("SELECT count(*), sum(total) FROM h.charge"), ["8|437.50"]);
}

#[test]
fn a_key_that_was_taken_away_and_given_to_another_row_is_read_back_as_that_row() {
    let o = till();
    o.window(&[DAY[0]]);
    o.window(&[
        "UPDATE h.payment SET amount = 21 WHERE charge_id = 900001 AND no = 1; DELETE FROM h.payment WHERE charge_id = 900001 AND no = 1",
        "UPDATE h.payment SET no = 1 WHERE charge_id = 900001 AND no = 2",
    ]);
    o.merge(0);
    let json = reconcile(&o, 0, &[]);
    assert_eq!((&json["balanced"], &json["differences"]), (&json!(true), &json!([])));
    assert_eq!(o.rows("SELECT no, amount FROM h.payment WHERE charge_id = 900001"), ["1|10.00"]);
}

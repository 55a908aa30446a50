//! A morning of the reference HIS: its sheet, a cent too much, and what its reports find.

use super::reconcile;
use crate::opened::Opened;
use crate::support::Cluster;
use crate::support::workplace::DB;
use serde_json::json;
use std::path::{Path, PathBuf};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/his")
}

/// The reference HIS on both sides, the standby open with numbers of its own, and what its windows did.
fn morning() -> Opened {
    let (primary, standby) = Cluster::pair();
    for cluster in [&primary, &standby] {
        cluster.create_database(DB);
        cluster.psql_file(DB, &samples().join("schema.sql")).expect(0);
        let generate = samples().join("generate.sql");
        cluster.psql(DB, &format!("\\set patients 500\n\\set visits 40\n\\i {}\n", generate.display()));
    }
    // As a load does it.
    standby.execute(
        DB,
        "SELECT setval(s.seqrelid::regclass, 900000000, false) FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'outpatient';
         UPDATE outpatient.receipt_counter SET last_no = 900000000; UPDATE outpatient.receipt_segment SET current_no = current_no + 300000; UPDATE outpatient.schedule SET current_no = current_no + 500",
    );
    let profile = std::fs::read_to_string(samples().join("his.toml")).expect("the sample's profile");
    let o = Opened::over(primary, standby, &profile[profile.find("[[table]]").expect("tables")..]);
    crate::support::copy_sample_reports(o.work.path());
    for i in 1..=6 {
        o.window(&[
            &format!("SELECT outpatient.window_register({i}, {i})"),
            &format!("SELECT outpatient.window_charge_order({i}, {i})"),
        ]);
    }
    o.window(&[
        "SELECT outpatient.window_refund(1, 1)",
        "SELECT outpatient.window_refund(2, 2)",
        "SELECT outpatient.window_shift_close(3, 3)",
    ]);
    o
}

#[test]
fn p10_a_morning_of_the_reference_his_is_read_back_to_the_cent_and_a_cent_too_much_is_named() {
    let o = morning();
    o.merge(0);
    let json = reconcile(&o, 0, &[]);
    assert_eq!((&json["balanced"], &json["differences"], &json["faults"]), (&json!(true), &json!([]), &json!([])));
    let reports = json["reports"].as_array().expect("reports");
    assert_eq!(reports.len(), crate::support::SAMPLE_REPORTS.len());
    assert!(reports.iter().all(|r| r["rows"] == json!([]) && r.get("error").is_none()), "{reports:?}");
    // What the sheet says of payments is what the primary has of this event, charges and refunds apart.
    let of = |kind: &str| -> f64 {
        let lines = json["table"].as_array().expect("a table").iter();
        let of = lines.filter(|l| l["table"] == "outpatient.payment" && l["kind"] == kind);
        of.map(|l| l["primary"].as_str().expect("text").parse::<f64>().expect("an amount")).sum()
    };
    let there = o.rows("SELECT sum(amount) FILTER (WHERE amount > 0), sum(amount) FILTER (WHERE amount < 0) FROM outpatient.payment WHERE charge_id >= 900000000");
    assert_eq!(format!("{:.2}|{:.2}", of("charge"), of("refund")), there[0]);

    let paid = o.rows("SELECT charge_id, seq, pay_method, amount FROM outpatient.payment WHERE charge_id >= 900000000 AND amount > 0 ORDER BY 1, 2 LIMIT 1");
    let paid: Vec<&str> = paid[0].split('|').collect();
    o.meanwhile(&format!(
        "UPDATE outpatient.payment SET amount = amount + 0.01 WHERE charge_id = {} AND seq = {}",
        paid[0], paid[1]
    ));
    let json = reconcile(&o, 3, &[]);
    let now =
        o.rows(&format!("SELECT amount FROM outpatient.payment WHERE charge_id = {} AND seq = {}", paid[0], paid[1]));
    assert_eq!(
        json["differences"],
        json!([{
            "id": 1, "table": "outpatient.payment", "column": "amount", "group": format!("pay_method={}", paid[2]),
            "key": {"charge_id": paid[0], "seq": paid[1]}, "expected": paid[3], "found": now[0],
        }])
    );
    let shown = o.work.run("his-merge", &["reconcile"]).expect(3).stdout;
    let wide = shown.lines().map(|l| l.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>()).max();
    assert!(wide <= Some(100), "{shown}");
}

#[test]
fn a_price_changed_in_the_gap_and_slots_that_do_not_add_up_are_reported_and_not_corrected() {
    let o = morning();
    o.merge(0);
    let line = o.rows(
        "SELECT l.charge_id, l.line_no, l.item_id, l.price FROM outpatient.charge_line l JOIN outpatient.charge c ON c.id = l.charge_id
         WHERE c.id >= 900000000 AND c.refund_of IS NULL ORDER BY 1, 2 LIMIT 1",
    );
    let line: Vec<&str> = line[0].split('|').collect();
    let schedule =
        o.rows("SELECT schedule_id FROM outpatient.registration WHERE id >= 900000000 ORDER BY 1 LIMIT 1").remove(0);
    o.meanwhile(&format!(
        "UPDATE base.charge_price SET price = price + 1 WHERE item_id = {} AND valid_to = 'infinity'; UPDATE outpatient.schedule SET slots_left = slots_left - 1 WHERE id = {schedule}",
        line[2]
    ));
    let before = o.primary.digest(DB);
    let json = reconcile(&o, 0, &[]);
    let price = &json["reports"][0]["rows"][0];
    assert_eq!(
        (&price["charge_id"], &price["line_no"], &price["item_id"], &price["charged"]),
        (&json!(line[0]), &json!(line[1]), &json!(line[2]), &json!(line[3]))
    );
    let slots = &json["reports"][1]["rows"];
    assert_eq!((slots.as_array().map(Vec::len), &slots[0]["id"]), (Some(1), &json!(schedule)));
    assert_eq!(o.primary.digest(DB), before);
}

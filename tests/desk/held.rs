//! What is held of a window at the merge, and what is not.

use super::Hospital;
use crate::support::workplace::DB;
use serde_json::json;

/// A patient with an unpaid order: patient, visit, order.
const ORDERED: &str = "SELECT o.patient_id, o.registration_id, o.id FROM outpatient.doctor_order AS o JOIN outpatient.registration AS r ON r.id = o.registration_id WHERE o.charge_status = 0 AND r.status <> 2 ORDER BY o.id LIMIT 1";

#[test]
fn a_held_charge_of_a_window_holds_nothing_else_that_the_window_did() {
    let h = Hospital::new(300, 40, "");
    let ids = h.primary.value(DB, ORDERED);
    let [_, visit, order] = ids.split('|').collect::<Vec<_>>()[..] else { panic!("{ids}") };
    let (visit, order) = (visit.parse::<i64>().expect("a number"), order.parse::<i64>().expect("a number"));
    let charge = json!({ "registration": visit, "orders": [order] });
    h.work.run("his-snapshot", &[]).expect(0);
    h.work.run("his-load-standby", &[]).expect(0);
    // In the gap another window takes the money for it, and the standby does not know.
    let mut gap = h.scripted("S02002", "W02");
    gap.must("open_shift", json!({}));
    gap.must("charge", charge.clone());
    gap.end();
    h.work.run("his-switch", &["standby", "--reason", "test", "--ordered-by", "test"]).expect(0);

    let mut desk = h.scripted("S02001", "W01");
    desk.must("open_shift", json!({ "last_printed": 1 }));
    let first = desk.must("charge", charge);
    assert_eq!(first["charges"][0]["number"], "01-0001-W01-00001");
    for n in 0..3 {
        let person = desk.must("new_patient", json!({ "name": "测试", "sex": "1", "phone": format!("1000000000{n}") }));
        let schedule = desk.free_schedule();
        desk.must("register", json!({ "patient": person["patient"], "schedule": schedule }));
    }
    let drawer = desk.must("shift", json!({}));
    desk.must("close_shift", json!({ "counted": drawer["cash"] }));
    desk.end();

    // The money is taken twice, and a person decides; everything else of the window is on the primary.
    h.to_primary(3);
    let status = h.work.json(0, "his-merge", &["status"]);
    assert_eq!(
        (&status["balanced"], &status["units"]["held"], &status["units"]["rejected"]),
        (&json!(true), &json!(1), &json!(0))
    );
    let merged = "SELECT count(*) FROM desk.voucher WHERE event = '01-0001'";
    assert_eq!(h.primary.value(DB, merged), "3");
    assert_eq!(
        h.primary.value(DB, "SELECT count(*) FROM desk.shift WHERE event = '01-0001' AND closed_at IS NOT NULL"),
        "1"
    );
}

#[test]
fn a_cashier_who_goes_to_another_window_goes_on_there_with_numbers_of_that_window() {
    let h = Hospital::new(200, 20, "");
    h.to_standby();
    // Logged in at the second window before the shift was opened at the first.
    let mut second = h.scripted("S02001", "W02");
    second.must("list_schedules", json!({}));
    let mut first = h.scripted("S02001", "W01");
    first.must("open_shift", json!({ "last_printed": 1 }));
    for (desk, number) in [(&mut first, "01-0001-W01-00001"), (&mut second, "01-0001-W02-00001")] {
        let schedule = desk.free_schedule();
        let patient =
            desk.must("new_patient", json!({ "name": "测试", "sex": "1", "phone": "10000000001" }))["patient"].clone();
        let done = desk.must("register", json!({ "patient": patient, "schedule": schedule }));
        assert_eq!(done["charges"][0]["number"], number);
    }
}

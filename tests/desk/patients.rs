//! Who comes to the window: found, entered, booked, paid elsewhere, sent to a department, telephoned.

use super::Hospital;
use super::hospital::Desk;
use crate::support::workplace::DB;
use serde_json::{Value, json};

fn opened(h: &Hospital) -> Desk {
    let mut desk = h.scripted("S02001", "W01");
    desk.must("open_shift", json!({ "last_printed": 1 }));
    desk
}

fn numbers(row: &str) -> Vec<i64> {
    row.split('|').map(|n| n.parse().expect("a number")).collect()
}

#[test]
fn a_patient_is_found_in_every_way_each_search_is_recorded_and_an_unknown_one_is_completed_later() {
    let h = Hospital::new(300, 40, "");
    h.to_standby();
    let mut desk = opened(&h);
    let known = "SELECT p.id, p.medical_record_no, p.name, p.name_phonetic, p.id_no, p.phone, c.card_no FROM outpatient.patient AS p JOIN outpatient.card AS c ON c.patient_id = p.id WHERE c.status = 0 AND p.phone IS NOT NULL AND p.id_type = '01' ORDER BY p.id LIMIT 1";
    let row = h.standby.value(DB, known);
    let cells: Vec<&str> = row.split('|').collect();
    for text in &cells[1..] {
        let found = desk.must("find_patient", json!({ "text": text }));
        let ids = found["patients"].as_array().expect("a list").iter().map(|p| p["patient"].to_string());
        assert!(ids.into_iter().any(|id| id == cells[0]), "{text}: {found}");
    }
    assert_eq!(desk.must("find_patient", json!({ "text": "没有这个人" }))["patients"], json!([]));
    // A passport, too.
    let passport = h.standby.value(
        DB,
        "SELECT id_no FROM outpatient.patient WHERE id_type <> '01' AND id_no IS NOT NULL ORDER BY id LIMIT 1",
    );
    assert_eq!(desk.must("find_patient", json!({ "text": passport }))["patients"].as_array().map(Vec::len), Some(1));

    let nameless = desk.must("new_patient", json!({ "unknown": true, "sex": "1" }))["patient"].clone();
    assert_eq!(desk.must("find_patient", json!({ "text": "无名氏" }))["patients"][0]["patient"], nameless);
    desk.must("complete_patient", json!({ "patient": nameless, "name": "赵六", "phone": "10077770001" }));
    // A second one with the document of the first is refused, and a mistyped document too.
    let taken = json!({ "patient": nameless, "id_no": cells[4] });
    assert!(desk.ask("complete_patient", &taken).expect_err("taken").contains("另一患者"));
    let again = desk.must("new_patient", json!({ "name": "某某", "sex": "1", "id_no": cells[4] }));
    assert_eq!((again["patient"].to_string(), &again["known"]), (cells[0].to_owned(), &json!(true)));
    let swapped = json!({ "name": "某某", "sex": "1", "id_no": "110101199003070001" });
    assert!(desk.ask("new_patient", &swapped).expect_err("mistyped").contains("校验不符"));
    desk.end();

    // Who looked whom up comes back with the event.
    h.to_primary(0);
    let looked =
        "SELECT count(*), count(DISTINCT looked_by), min(staff_id), min(window_no), min(event) FROM desk.access";
    assert_eq!(h.primary.value(DB, looked), "9|5|2001|W01|01-0001");
    assert_eq!(h.primary.value(DB, "SELECT name FROM outpatient.patient WHERE phone = '10077770001'"), "赵六");
}

#[test]
fn a_booked_patient_is_checked_in_once_without_a_second_slot_and_is_in_the_queue() {
    let h = Hospital::new(300, 40, "");
    h.to_standby();
    let mut desk = opened(&h);
    let booked = desk.must("list_appointments", json!({}))["appointments"][0].clone();
    let left = || {
        h.standby.value(DB, &format!("SELECT slots_left FROM outpatient.schedule WHERE id = {}", booked["schedule"]))
    };
    let before = left();
    let ask = json!({ "patient": booked["patient"], "appointment": booked["appointment"], "insured": "self_paid" });
    let visit = desk.must("register", ask.clone());
    assert_eq!(left(), before);
    assert!(desk.ask("register", &ask).expect_err("once").contains("不可取号"));
    let rest = desk.must("list_appointments", json!({ "patient": booked["patient"] }));
    assert!(rest["appointments"].as_array().expect("a list").iter().all(|a| a["appointment"] != booked["appointment"]));
    let queue = desk.must("queue", json!({ "department": booked["department"] }));
    let waits = queue["waiting"]
        .as_array()
        .expect("a list")
        .iter()
        .any(|w| w["registration"] == visit["registration"] && w["queue_no"] == visit["queue_no"]);
    assert!(waits, "{queue}");
}

#[test]
fn what_was_registered_and_paid_in_the_gap_takes_no_money_again_and_is_settled_at_the_merge() {
    let h = Hospital::new(300, 40, "");
    let ordered = "SELECT o.patient_id, o.registration_id, o.id FROM outpatient.doctor_order AS o JOIN outpatient.registration AS r ON r.id = o.registration_id WHERE o.charge_status = 0 AND o.kind = 'drug' AND r.status <> 2 ORDER BY o.id LIMIT 1";
    let ordered = numbers(&h.primary.value(DB, ordered));
    let newcomer = h.primary.value(
        DB,
        "SELECT max(id) FROM outpatient.patient WHERE id NOT IN (SELECT patient_id FROM outpatient.registration)",
    );
    let free = numbers(&h.primary.value(DB, "SELECT id, department_id FROM outpatient.schedule WHERE work_date = outpatient.today() AND status = 0 AND slots_left > 5 ORDER BY id LIMIT 1"));
    h.work.run("his-snapshot", &[]).expect(0);
    h.work.run("his-load-standby", &[]).expect(0);
    let newcomer = newcomer.parse::<i64>().expect("a number");
    let mut gap = h.scripted("S02002", "W02");
    gap.must("open_shift", json!({}));
    gap.must("register", json!({ "patient": newcomer, "schedule": free[0] }));
    gap.must("charge", json!({ "registration": ordered[1], "orders": [ordered[2]] }));
    gap.end();
    h.work.run("his-switch", &["standby", "--reason", "test", "--ordered-by", "test"]).expect(0);

    let mut desk = opened(&h);
    let visit = desk.must("register", json!({ "patient": newcomer, "schedule": free[0], "paper_no": "A0102300001" }));
    assert_eq!((&visit["paid"], &visit["charges"]), (&Value::Null, &json!([])));
    let paper = json!({ "patient": ordered[0], "order": ordered[2], "paper_no": "A0102300002" });
    desk.must("paid_on_paper", paper);
    // The same paper shows one payment, and what it paid for is charged no more.
    let again = json!({ "patient": newcomer, "schedule": free[0], "paper_no": "A0102300001", "again": true });
    assert!(desk.ask("register", &again).expect_err("once").contains("已登记过"));
    let open = desk.must("find_orders", json!({ "patient": ordered[0] }));
    assert!(open["orders"].as_array().expect("a list").iter().all(|o| o["order"] != json!(ordered[2])), "{open}");
    assert_eq!(h.standby.value(DB, "SELECT count(*) FROM outpatient.charge WHERE id >= 900000000"), "0");

    // The department sees it with the paper's number, hands it out, and not twice.
    let place = "SELECT d.code FROM outpatient.order_line AS l JOIN base.charge_item AS i ON i.id = l.item_id JOIN base.department AS d ON d.id = i.department_id WHERE l.order_id = ";
    let place = h.standby.value(DB, &format!("{place}{} LIMIT 1", ordered[2]));
    let paid = desk.must("paid_orders", json!({ "department": place }))["orders"].clone();
    let entry =
        paid.as_array().expect("a list").iter().find(|o| o["order"] == json!(ordered[2])).expect("it is there").clone();
    assert_eq!(entry["paper_no"], "A0102300002");
    desk.must("confirm_done", json!({ "order": ordered[2] }));
    assert!(desk.ask("confirm_done", &json!({ "order": ordered[2] })).is_err());
    desk.end();

    // Two registrations of one person are a twin for somebody to look at; the drug is handed out, and paid, once.
    h.to_primary(3);
    let held = h.work.json(0, "his-merge", &["status"]);
    assert_eq!((&held["balanced"], &held["units"]["held"]), (&json!(true), &json!(1)));
    assert_eq!(h.primary.value(DB, "SELECT kind FROM his_emergency.conflict"), "twin");
    let order = format!("SELECT charge_status, exec_status FROM outpatient.doctor_order WHERE id = {}", ordered[2]);
    assert_eq!(h.primary.value(DB, &order), "1|1");
    let sheet = h.work.json(0, "his-merge", &["reconcile"]);
    assert_eq!(sheet["reports"].as_array().expect("reports").last().expect("one")["rows"], json!([]));
}

#[test]
fn a_patient_to_be_telephoned_with_a_result_stays_on_the_list_until_somebody_did() {
    let h = Hospital::new(200, 20, "");
    h.to_standby();
    let mut desk = opened(&h);
    let patient =
        desk.must("new_patient", json!({ "name": "测试", "sex": "1", "phone": "10000000009" }))["patient"].clone();
    let id = desk.must("ask_callback", json!({ "patient": patient, "about": "血常规危急值" }))["id"].clone();
    let open = desk.must("callbacks", json!({}))["open"].clone();
    assert_eq!(
        (&open[0]["id"], &open[0]["phone"], &open[0]["about"]),
        (&id, &json!("10000000009"), &json!("血常规危急值"))
    );
    desk.must("callback_done", json!({ "id": id }));
    assert_eq!(desk.must("callbacks", json!({}))["open"], json!([]));
    assert!(desk.ask("callback_done", &json!({ "id": id })).expect_err("once").contains("已通知"));
    desk.end();
    h.to_primary(0);
    assert_eq!(h.primary.value(DB, "SELECT count(*), count(told_by) FROM desk.callback"), "1|1");
}

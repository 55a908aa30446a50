//! What a window may do with money, one rule after another, on an open standby.

use super::Hospital;
use super::hospital::{Desk, approved};
use crate::support::workplace::DB;
use serde_json::{Value, json};

fn opened(h: &Hospital, n: usize) -> Desk {
    let mut desk = h.scripted(&format!("S{:05}", 2000 + n), &format!("W{n:02}"));
    desk.must("open_shift", json!({ "last_printed": 1 }));
    desk
}

/// A new patient who is registered, with the visit.
fn visit(desk: &mut Desk, more: &Value) -> (Value, Value) {
    let mut person = json!({ "name": "测试", "sex": "1", "phone": "10000000001" });
    person.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
    let patient = desk.must("new_patient", person)["patient"].clone();
    let schedule = desk.free_schedule();
    let visit = desk.must("register", json!({ "patient": patient, "schedule": schedule }));
    (patient, visit["registration"].clone())
}

/// An item of the price list by its class, with its price.
fn item(desk: &mut Desk, code: &str) -> Value {
    desk.must("price_search", json!({ "text": code }))["items"][0].clone()
}

#[test]
fn payments_without_the_network_want_a_number_and_each_number_is_taken_once_at_all_windows() {
    let h = Hospital::new(200, 20, "");
    h.to_standby();
    let (mut one, mut two) = (opened(&h, 1), opened(&h, 2));
    let (_, first) = visit(&mut one, &json!({}));
    let (_, second) = visit(&mut two, &json!({ "phone": "10000000002" }));
    let lab = item(&mut one, "LA")["code"].clone();
    let by = |visit: &Value, pay: Value| json!({ "registration": visit, "items": [{ "code": lab, "quantity": 1 }], "payments": [pay] });
    let refused = |answer: Result<Value, String>, why: &str| {
        let said = answer.expect_err("it is refused");
        assert!(said.contains(why), "{said}");
    };
    refused(one.ask("charge", &by(&first, json!({ "method": "WECHAT" }))), "须有交易号");
    one.must("charge", by(&first, json!({ "method": "WECHAT", "reference": "wx1" })));
    refused(two.ask("charge", &by(&second, json!({ "method": "WECHAT", "reference": "wx1" }))), "已用过");
    two.must("charge", by(&second, json!({ "method": "ALIPAY", "reference": "wx1" })));
    two.must("charge", by(&second, json!({ "method": "CREDIT" })));
    refused(two.ask("charge", &by(&second, json!({ "method": "CASH", "amount": "100000" }))), "多于应收");
    refused(two.ask("charge", &by(&second, json!({ "method": "CREDIT", "amount": "0.01" }))), "不足");
    let mut told = by(&second, json!({ "method": "CASH" }));
    told["expect"] = json!("0.01");
    refused(two.ask("charge", &told.clone()), "已变");
    told["expect"] = Value::Null;
    told["tendered"] = json!("0.01");
    refused(two.ask("charge", &told), "现金不足");
    assert_eq!(
        h.standby.value(DB, "SELECT count(*) FROM outpatient.charge WHERE id >= 900000000 AND kind = 'order'"),
        "3"
    );
}

#[test]
fn a_card_is_not_spent_below_what_the_snapshot_knew() {
    let h = Hospital::new(
        200,
        20,
        "UPDATE outpatient.card SET deposited = deposited + 1000 - balance, balance = 1000 WHERE card_no = 'C0000000001'; UPDATE outpatient.patient SET settlement_category_id = 1 WHERE id = 1",
    );
    h.to_standby();
    let mut desk = opened(&h, 1);
    let (_, other) = visit(&mut desk, &json!({}));
    let schedule = desk.free_schedule();
    let mine =
        desk.must("register", json!({ "patient": 1, "schedule": schedule, "again": true }))["registration"].clone();
    let exam = item(&mut desk, "EX")["code"].clone();
    let by_card = |visit: &Value, quantity: i32| json!({ "registration": visit, "items": [{ "code": exam, "quantity": quantity }], "payments": [{ "method": "CARD", "card": "C0000000001" }] });
    let why = desk.ask("charge", &by_card(&other, 1)).expect_err("somebody else's card");
    assert!(why.contains("该卡不可用"), "{why}");
    let why = desk.ask("charge", &by_card(&mine, 1000)).expect_err("more than is on it");
    assert!(why.contains("余额不足"), "{why}");
    let paid = desk.must("charge", by_card(&mine, 1))["paid"].clone();
    let left = h.standby.value(DB, "SELECT 1000 - balance FROM outpatient.card WHERE card_no = 'C0000000001'");
    assert_eq!(paid, json!(left));
}

#[test]
fn cash_goes_back_only_for_cash_and_for_what_was_not_carried_out_and_two_people_sign() {
    let h = Hospital::new(200, 20, "");
    h.to_standby();
    let mut desk = opened(&h, 1);
    let (patient, visit) = visit(&mut desk, &json!({}));
    let lab = item(&mut desk, "LA")["code"].clone();
    let exam = item(&mut desk, "EX")["code"].clone();
    let two = json!([{ "code": lab, "quantity": 1 }, { "code": exam, "quantity": 1 }]);
    let bill = |payments: Value| json!({ "registration": visit, "items": two, "payments": payments });
    let charge = |answer: &Value| answer["charges"][0]["charge"].clone();
    let cash = desk.must("charge", bill(json!([{ "method": "CASH" }])));
    let phone = desk.must("charge", bill(json!([{ "method": "WECHAT", "reference": "wx9" }])));
    let carried = desk.must("charge", bill(json!([{ "method": "CASH" }])));

    let mut alone = json!({ "charge": charge(&cash), "reason": "患者要求", "approver": "S02001", "approver_secret": "demo-S02001" });
    assert!(desk.ask("refund", &alone.clone()).expect_err("one person").contains("不能是同一人"));
    alone["approver"] = json!("S02002");
    alone["approver_secret"] = json!("demo-S02002");
    assert!(desk.ask("refund", &alone.clone()).expect_err("a cashier").contains("无审批权限"));
    alone["approver"] = json!("S02301");
    assert!(desk.ask("refund", &alone).expect_err("a wrong secret").contains("口令不对"));

    // One line of two: the whole is offset, and the other line charged again.
    let back = desk.must("refund", approved(json!({ "charge": charge(&cash), "lines": [1], "reason": "患者要求" })));
    let amounts: Vec<&str> =
        back["charges"].as_array().expect("two").iter().map(|c| c["paid"].as_str().expect("text")).collect();
    let cents = |t: &str| t.replace('.', "").parse::<i64>().expect("an amount of two places");
    assert_eq!(cents(amounts[0]), -cents(cash["paid"].as_str().expect("text")));
    assert_eq!(cents(back["refunded"].as_str().expect("text")), -cents(amounts[0]) - cents(amounts[1]));
    assert!(
        desk.ask("refund", &approved(json!({ "charge": charge(&cash), "reason": "again" })))
            .expect_err("once")
            .contains("已退费")
    );

    // Paid by telephone: not a cent in cash, and once on the list.
    let due = desk.must("refund", approved(json!({ "charge": charge(&phone), "reason": "患者要求" })));
    assert_eq!((&due["refunded"], &due["due"], &due["cause"]), (&json!("0.00"), &phone["paid"], &json!("not_cash")));
    assert!(
        desk.ask("refund", &approved(json!({ "charge": charge(&phone), "reason": "again" })))
            .expect_err("listed")
            .contains("待退费清单")
    );

    // Carried out: neither.
    let order = carried["charges"][0]["order"].clone();
    desk.must("confirm_done", json!({ "order": order, "lines": [1] }));
    assert!(desk.ask("confirm_done", &json!({ "order": order, "lines": [1] })).expect_err("twice").contains("已执行"));
    let due = desk.must("refund", approved(json!({ "charge": charge(&carried), "lines": [1], "reason": "患者要求" })));
    assert_eq!((&due["refunded"], &due["cause"]), (&json!("0.00"), &json!("executed")));
    assert!(
        desk.ask("confirm_done", &json!({ "order": order, "lines": [2] })).expect_err("in refund").contains("正在退费")
    );
    let list = desk.must("refunds_due", json!({}));
    assert_eq!(list["due"].as_array().map(Vec::len), Some(2));
    let shown = desk.must("find_charges", json!({ "patient": patient }));
    assert_eq!(shown["charges"].as_array().map(Vec::len), Some(5), "{shown:#}");
    let sum = h.standby.value(DB, "SELECT sum(paid) FROM outpatient.charge WHERE id >= 900000000");
    assert_eq!(desk.must("shift", json!({}))["paid"], json!(sum));
}

#[test]
fn insured_patients_end_on_the_list_and_a_roll_that_ends_leaves_charges_valid_and_waiting() {
    let h = Hospital::new(
        200,
        20,
        "UPDATE outpatient.receipt_segment SET end_no = current_no + 300002 WHERE cashier_id = 2001",
    );
    h.to_standby();
    let mut desk = opened(&h, 1);
    let (_, insured) = visit(&mut desk, &json!({ "category": "STAFF", "insurance_no": "I1" }));
    let lab = item(&mut desk, "LA")["code"].clone();
    let bill = json!({ "registration": insured, "items": [{ "code": lab, "quantity": 1 }], "insured": "card_left" });
    let left = desk.must("charge", bill.clone());
    assert_eq!(left["charges"][0]["payments"][0]["method"], json!("CREDIT"));
    let list = desk.must("insurance_list", json!({}));
    let modes: Vec<&str> =
        list["open"].as_array().expect("a list").iter().map(|e| e["mode"].as_str().expect("text")).collect();
    assert_eq!(modes, ["self_paid", "card_left"]);

    // The two forms of the roll are used up: the third charge is good, and waits.
    let third = desk.must("charge", bill);
    let charge = third["charges"][0]["charge"].clone();
    assert_eq!(third["charges"][0]["form"], Value::Null);
    assert!(desk.ask("receipt", &json!({ "charge": charge })).expect_err("no form").contains("票据已用完"));
    let forms = approved(json!({ "prefix": "e", "first": 1, "last": 20 }));
    assert_eq!(desk.must("issue_forms", forms)["forms_left"]["left"], json!(20));
    assert_eq!(desk.must("receipt", json!({ "charge": charge }))["form"], json!("E00000001"));
    desk.must("spoil_form", json!({ "charge": charge, "why": "卡纸" }));
    assert_eq!(desk.must("receipt", json!({ "charge": charge }))["form"], json!("E00000002"));
    assert_eq!(desk.must("to_print", json!({}))["charges"].as_array().map(Vec::len), Some(3));
    desk.end();

    // Printed only now, counted when printed again, and not counted when the printer fails.
    let id = charge.to_string();
    let file = h.work.path().join("voucher.txt");
    let to = file.to_string_lossy().into_owned();
    h.desk("S02001", "W01", &["print", &id, "--to", "/nowhere/voucher"]).run().expect(1).says("待补打");
    let printed = |n: i64| {
        let json = h.desk_json("S02001", "W01", 0, &["print", &id, "--to", &to, "--paper", "form"]);
        assert_eq!(json["reprints"], json!(n));
        std::fs::read_to_string(&file).expect("it was printed")
    };
    let text = printed(0);
    for word in ["应急收费凭证", "系统恢复后凭此换开医疗电子票据", "E00000002", "医保: 已留卡", "01-0001-W01-00003"]
    {
        assert!(text.contains(word), "{word} in {text}");
    }
    assert!(!text.contains("重打") && !text.contains("发票"), "{text}");
    assert!(printed(1).contains("重打第1次"));
    h.desk("S02001", "W01", &["print", &id, "--to", &to, "--paper", "58mm"]).run().expect(0);
    let bytes = std::fs::read(&file).expect("it was printed");
    let (text, _, broken) = encoding_rs::GB18030.decode(&bytes);
    assert!(text.contains("应急收费凭证") && !broken && bytes.starts_with(b"\x1b@"), "{text}");
    // No line of a roll is wider than the roll, Chinese characters counted as two.
    for (paper, columns) in [("58mm", 32), ("80mm", 48)] {
        h.desk("S02001", "W01", &["print", &id, "--to", &to, "--paper", paper]).run().expect(0);
        let bytes = std::fs::read(&file).expect("it was printed");
        let (text, ..) = encoding_rs::GB18030.decode(&bytes);
        // Commands to the printer: ESC @, FS &, and the rest with a letter and a number; the cut at the end has two.
        let mut rest = text.split("\u{1d}V").next().expect("a text").chars();
        let mut plain = String::new();
        while let Some(c) = rest.next() {
            match c {
                '\u{1b}' | '\u{1c}' | '\u{1d}' => {
                    let _ = rest.next().filter(|c| !"@&".contains(*c)).and_then(|_| rest.next());
                }
                c => plain.push(c),
            }
        }
        for line in plain.lines() {
            let width: usize = line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
            assert!(width <= columns, "{paper}: {width} columns in '{line}'");
        }
    }
    let page = h.work.path().join("voucher.html");
    h.desk("S02001", "W01", &["print", &id, "--to", &page.to_string_lossy(), "--paper", "html"]).run().expect(0);
    let html = std::fs::read_to_string(&page).expect("it was printed");
    for word in ["应急收费凭证", "E00000002", "01-0001-W01-00003", "重打"] {
        assert!(html.contains(word), "{word} in {html}");
    }
    let drawer = h.desk_json("S02001", "W01", 0, &["shift", "show"]);
    assert_eq!((&drawer["void"], &drawer["not_printed"]), (&json!(["E00000001"]), &json!(2)));
}

#[test]
fn an_event_is_not_signed_off_while_a_refund_or_an_insurance_settlement_is_open() {
    let h = Hospital::new(200, 20, "");
    h.to_standby();
    let mut desk = opened(&h, 1);
    let (_, insured) = visit(&mut desk, &json!({ "category": "STAFF", "insurance_no": "I1" }));
    let lab = item(&mut desk, "LA")["code"].clone();
    let by_phone = json!({ "registration": insured, "items": [{ "code": lab, "quantity": 1 }], "payments": [{ "method": "WECHAT", "reference": "wx9" }] });
    let charge = desk.must("charge", by_phone)["charges"][0]["charge"].clone();
    desk.must("refund", approved(json!({ "charge": charge, "reason": "患者要求" })));
    // Somebody shows a paper for a payment that the primary never had.
    let unpaid = "SELECT patient_id, registration_id, id FROM outpatient.doctor_order WHERE charge_status = 0 ORDER BY id LIMIT 1";
    let unpaid = h.standby.value(DB, unpaid);
    let ids: Vec<i64> = unpaid.split('|').map(|n| n.parse().expect("a number")).collect();
    desk.must("paid_on_paper", json!({ "patient": ids[0], "order": ids[2], "paper_no": "A0102300009" }));
    desk.end();
    h.to_primary(0);

    let sign = |code: i32| h.work.run("his-merge", &["sign-off", "01-0001", "--as", "it"]).expect(code);
    sign(4)
        .says("待退费 refunds due: 1 open")
        .says("医保补结算 insurance to be settled: 2 open")
        .says("not paid on the primary: 1 open");
    let mut desk = h.scripted("S02001", "W01");
    desk.must("open_shift", json!({}));
    desk.must("charge", json!({ "registration": ids[1], "orders": [ids[2]] }));
    let due = desk.must("refunds_due", json!({}))["due"][0]["id"].clone();
    desk.must("end_refund_due", json!({ "id": due, "as": "paid", "note": "原路退回" }));
    sign(4).says("医保补结算");
    for entry in desk.must("insurance_list", json!({}))["open"].as_array().expect("a list") {
        desk.must("end_insurance", json!({ "charge": entry["charge"], "as": "settled", "note": "已补结算" }));
    }
    desk.end();
    sign(0);
}

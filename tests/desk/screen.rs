//! The full screen, driven through a pseudo-terminal as a cashier drives it.

use super::Hospital;
use super::terminal::Terminal;
use crate::support::wait_until;
use crate::support::workplace::DB;
use std::fs;
use std::io::Write;
use std::time::Duration;

/// A patient with a prescription that nobody has paid: telephone 10099990001.
const WAITING: &str = "
UPDATE outpatient.patient SET phone = '10099990001', name = '王小明', settlement_category_id = 1 WHERE id = (SELECT patient_id FROM outpatient.doctor_order WHERE charge_status = 0 AND kind = 'drug' ORDER BY id LIMIT 1);";

#[test]
fn a_cashier_registers_a_new_patient_and_charges_a_prescription_and_two_items_in_under_forty_keys() {
    let mut h = Hospital::new(400, 60, WAITING);
    let printed = h.work.path().join("printed");
    h.work.set("desk", "print", &format!("\"cat >> '{}'\"", printed.display()));
    h.work.set("desk", "paper", "\"form\"");
    h.to_standby();
    let mut t = Terminal::open(&h, "W01");
    t.sees("口令");
    t.is("zh/login");
    t.fills(&["S02001", "wrong"]);
    t.sees("口令不对");
    t.types("\u{15}"); // Ctrl-U
    t.fills(&["demo-S02001"]);
    t.sees("故障前最后票号");
    t.is("zh/open-shift");
    t.fills(&["1000001"]);
    t.sees("请按功能键");
    t.is("zh/home");

    t.pressed = 0;
    t.press("F2");
    t.sees("查找患者");
    t.fills(&["10012349999"]);
    t.sees("新患者建档");
    t.is("zh/new-patient");
    t.fills(&["李新", "LX", "2", "1990-05-01", "", "", ""]);
    t.sees("筛选");
    t.is("zh/doctors");
    t.types("普通");
    t.press("Enter");
    t.sees("应收");
    t.is("zh/pay-registration");
    t.fills(&["100"]);
    t.sees("就诊序号");
    t.is("zh/registered");

    t.press("F2");
    t.press("Esc");
    t.press("F3");
    t.sees("查找患者");
    t.fills(&["10099990001"]);
    t.sees("[x]");
    for code in ["LA003", "EX026"] {
        t.types(code);
        t.press("Enter");
        t.sees("数量");
        t.fills(&["1"]);
        t.sees(code);
    }
    t.is("zh/bill");
    t.press("Enter");
    t.sees("应收");
    t.press("Tab");
    t.press("Tab");
    t.press("Tab");
    t.sees("交易号");
    t.is("zh/pay-by-number");
    t.fills(&["wx-1"]);
    t.sees("实收");
    t.is("zh/charged");
    assert!(t.pressed < 40, "{} keys", t.pressed);
    wait_until("three vouchers are printed", Duration::from_secs(20), || {
        fs::read_to_string(&printed).unwrap_or_default().matches("应急收费凭证").count() == 3
    });
    assert_eq!(h.standby.value(DB, "SELECT count(*), count(printed_at) FROM desk.voucher"), "3|3");

    t.press("F9");
    t.sees("实点现金");
    t.is("zh/shift");
    t.fills(&["1.00"]);
    t.sees("长短款");
    t.press("F10");
    wait_until("it ends", Duration::from_secs(10), || t.child.try_wait().is_ok_and(|e| e.is_some_and(|e| e.success())));
    h.to_primary(0);
}

#[test]
fn the_screen_says_that_the_line_is_lost_keeps_what_was_typed_and_follows_the_windows_size() {
    let mut h = Hospital::new(300, 40, WAITING);
    h.work.set("site", "language", "\"en\"");
    h.to_standby();
    let mut t = Terminal::open(&h, "W02");
    t.log_in("S02002");
    t.sees("Last receipt before");
    t.fills(&["2000001"]);
    t.sees("Press a function key");
    t.is("en/home");
    t.press("F3");
    t.sees("Patient");
    t.fills(&["10099990001"]);
    t.sees("[x]");
    t.is("en/bill");
    t.press("Enter");
    t.sees("Due");
    t.types("500");
    // The standby hangs while the charge is asked for; then it is killed, and comes back.
    h.standby.execute("postgres", "CHECKPOINT");
    h.standby.stop_immediate();
    t.press("Enter");
    t.sees_now("the line is lost");
    assert!(t.text().contains("500"), "{}", t.text());
    t.resize(30, 100);
    t.sees_now("the line is lost");
    t.resize(24, 80);
    h.standby.start_again();
    h.work.run("his-switch", &["standby", "--reason", "restarted", "--ordered-by", "test"]).expect(0);
    t.sees("change");
    assert_eq!(h.standby.value(DB, "SELECT count(*) FROM desk.request WHERE act = 'charge'"), "1");
    t.is("en/charged");
}

#[test]
fn a_drill_has_its_own_colour_and_word_and_a_roll_that_is_nearly_used_up_is_said() {
    // What a standby says of itself in a drill; and three forms are left.
    let drill = "CREATE SCHEMA his_emergency;
        CREATE FUNCTION his_emergency.standing() RETURNS jsonb LANGUAGE sql AS $$ SELECT '{\"event\": \"D-0001\", \"data_until\": \"2026-03-02T02:00:00Z\", \"drill\": true}'::jsonb $$;
        GRANT USAGE ON SCHEMA his_emergency TO his_app;
        UPDATE outpatient.receipt_segment SET end_no = current_no + 3 WHERE cashier_id = 2001 AND status = 0;";
    let h = Hospital::new(200, 20, drill);
    let mut t = Terminal::open(&h, "W01");
    t.log_in("S02001");
    t.sees("故障前最后票号");
    t.fills(&["1"]);
    t.sees("请按功能键");
    let text = t.text();
    assert!(text.contains("【演练 D-0001】") && !text.contains("应急"), "{text}");
    assert!(text.contains("票据剩 3 不足!"), "{text}");
    let screen = t.screen.lock().expect("sound");
    let banner = screen.screen().cell(0, 1).expect("a cell");
    assert_eq!((banner.bgcolor(), banner.fgcolor()), (vt100::Color::Idx(3), vt100::Color::Idx(0)));
}

#[test]
fn a_jammed_form_an_empty_roll_two_payments_and_what_was_promised_are_dealt_with_at_the_window() {
    let short = format!(
        "{WAITING} UPDATE outpatient.receipt_segment SET end_no = current_no + 300002 WHERE cashier_id = 2001 AND status = 0;"
    );
    let mut h = Hospital::new(300, 40, &short);
    let printed = h.work.path().join("printed");
    h.work.set("desk", "print", &format!("\"cat >> '{}'\"", printed.display()));
    h.to_standby();
    let mut t = Terminal::open(&h, "W01");
    t.log_in("S02001");
    t.sees("故障前最后票号");
    t.fills(&["1"]);
    t.sees("请按功能键");
    t.press("F3");
    t.sees("查找患者");
    t.fills(&["10099990001"]);
    t.sees("[x]");
    t.press("Enter");
    t.sees("应收");
    // A part by telephone, the rest in cash.
    t.press("Tab");
    t.press("Tab");
    t.press("Tab");
    t.sees("交易号");
    t.types("20.00/wx-7");
    t.press("F8");
    t.sees("已付");
    for _ in 0..3 {
        t.keys.write_all(b"\x1b[Z").expect("typed"); // back to cash
        std::thread::sleep(Duration::from_millis(80));
    }
    t.sees("收现金");
    t.fills(&["1000"]);
    t.sees("找零");
    let methods =
        "SELECT string_agg(pay_method, ' ' ORDER BY seq) FROM outpatient.payment WHERE charge_id >= 900000000";
    let paid = h.standby.value(DB, methods);
    assert!(paid.ends_with("CASH") && paid.split(' ').count() == 2, "{paid}");

    // The paper jams, and then the roll is at its end: a supervisor gives out another one.
    wait_until("it is printed", Duration::from_secs(20), || {
        h.standby.value(DB, "SELECT count(printed_at) FROM desk.voucher") == "1"
    });
    let jam = |t: &mut Terminal| {
        t.press("F11");
        t.sees("票据作废(卡纸)");
    };
    h.desk_json(
        "S02001",
        "W01",
        0,
        &["spoil", &h.standby.value(DB, "SELECT charge_id FROM desk.voucher"), "--why", "卡纸"],
    );
    jam(&mut t);
    t.press("F4");
    t.sees("作废原因");
    t.fills(&["又卡纸"]);
    t.sees("票据已用完");
    t.press("F11");
    t.sees("发放新票据");
    t.press("F8");
    t.sees("主管工号");
    t.fills(&["G", "1", "50", "S02301", "demo-S02301"]);
    t.sees("已发放");
    t.press("F11");
    t.sees("票据作废(卡纸)");
    t.press("Enter");
    wait_until("it is printed", Duration::from_secs(20), || {
        fs::read_to_string(&printed).unwrap_or_default().contains("G00000001")
            || fs::read(&printed).is_ok_and(|b| b.windows(9).any(|w| w == b"G00000001"))
    });
    assert_eq!(h.standby.value(DB, "SELECT count(*) FROM desk.spoiled"), "2");

    // What was paid in part by telephone is not paid out in cash; the list of what is due ends it.
    t.press("F5");
    t.sees("查找患者");
    t.fills(&["10099990001"]);
    t.sees("筛选");
    t.press("Enter");
    t.sees("审批人工号");
    t.fills(&["", "患者要求", "S02301", "demo-S02301"]);
    t.sees("待退费(恢复后退)");
    t.press("F12");
    t.sees("医保补结算清单");
    t.is("zh/more");
    t.types("待退费");
    t.press("Enter");
    t.sees("王小明");
    t.press("Enter");
    t.sees("1 已退 2 撤销");
    t.fills(&["1", "原路退回"]);
    t.sees("已登记");
    assert_eq!(h.standby.value(DB, "SELECT status, note FROM desk.refund_due"), "paid|原路退回");
    t.press("F12");
    t.sees("交接单");
    t.types("交接单");
    t.press("Enter");
    t.sees("故障前");
}

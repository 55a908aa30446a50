//! Ten thousand charge slips, two in a hundred of them wrong: each mistake is told at its line and field, no good slip is
//! refused, and none counts twice.

use super::PROGRAM;
use super::reference::{Clinic, number};
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

const SLIPS: u64 = 10_000;
/// One slip in so many is wrong, each in the next way.
const EVERY: u64 = 50;
const WAYS: u64 = 10;

/// Slips for a visit each, wrong ones among them; and line, slip and field of each mistake.
fn planted(c: &Clinic, visits: &[String]) -> (String, BTreeSet<(u64, String, String)>) {
    let (doctors, cashier, at) = (c.doctors(), c.cashier(), c.at("10:30"));
    let mut text =
        "应急单号,开单时间,挂号单号或门诊号,姓名,开单医生工号,项目编码,单价,数量,金额,合计金额,支付方式,收费员工号\n"
            .to_owned();
    let (mut wrong, mut line) = (BTreeSet::new(), 2);
    let item = c.value("SELECT min(code) FROM base.charge_item WHERE class = 'treatment' AND is_active");
    for n in 1..=SLIPS {
        let way = if n % EVERY == 0 { n / EVERY % WAYS + 1 } else { 0 };
        let slip = number("S", n);
        let visit = &visits[usize::try_from(n).expect("small") % visits.len()];
        let doctor = &doctors[usize::try_from(n).expect("small") % doctors.len()].1;
        let mut plant = |at: u64, slip: &str, field: &str| wrong.insert((at, slip.to_owned(), field.to_owned()));
        // No two slips of a visit are the same.
        let (mut no, mut when, mut code, mut quantity, mut amount, mut total, mut name) =
            (slip.clone(), at.clone(), item.clone(), "2".to_owned(), "20.00".to_owned(), "30.00", format!("病人{n}"));
        match way {
            1 => {
                let last = no.pop().and_then(|c| c.to_digit(10)).expect("a digit");
                no = format!("{no}{}", (last + 1) % 10);
                plant(line, &no, "slip_no");
            }
            2 => {
                code = String::from("NOSUCH");
                plant(line, &slip, "item");
            }
            3 => {
                total = "30.01";
                plant(line, &slip, "total");
            }
            4 => {
                when = String::from("2026-02-30 10:00");
                plant(line, &slip, "written_at");
            }
            5 => {
                quantity = String::from("3");
                plant(line, &slip, "amount");
            }
            6 => {
                amount = String::from("1.2E+3");
                plant(line, &slip, "amount");
            }
            7 => {
                name = String::from("=HYPERLINK(\"x\")");
                plant(line, &slip, "patient_name");
            }
            // A line is missing, so that the rest does not come to the total.
            8 => {
                plant(line, &slip, "total");
            }
            // A number that was keyed two slips before.
            9 => {
                no = number("S", n - 2);
                plant(line, &no, "slip_no");
            }
            10 => {
                name = String::new();
                plant(line, &slip, "patient_name");
            }
            _ => {}
        }
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let _ = writeln!(
            text,
            "{no},{when},{visit},{quoted},{doctor},{code},10,{quantity},{amount},{total},现金,{cashier}"
        );
        line += 1;
        if way != 8 {
            let _ = writeln!(text, ",,,,,{item},5,2,10.00,,,");
            line += 1;
        }
    }
    (text, wrong)
}

#[test]
fn p11_of_ten_thousand_slips_every_planted_error_is_told_at_its_line_and_no_good_slip_is_refused_or_counted_twice() {
    let c = Clinic::new();
    let visits = c.numbers("registration", 40);
    let file = c.file("registrations.csv", &c.registrations(&visits));
    c.work.json(0, PROGRAM, &["import", &file]);
    c.work.json(0, PROGRAM, &["numbers", "issue", "charge", "--count", &SLIPS.to_string(), "--to", "W01"]);
    let (text, wrong) = planted(&c, &visits);
    let file = c.file("charges.csv", &text);
    let told = |json: &serde_json::Value| -> BTreeSet<(u64, String, String)> {
        let list = json["rejects"].as_array().expect("a list").iter();
        let text = |v: &serde_json::Value| v.as_str().expect("text").to_owned();
        list.map(|r| (r["line"].as_u64().expect("a line"), text(&r["slip_no"]), text(&r["field"]))).collect()
    };
    let checked = c.work.json(3, PROGRAM, &["check", &file]);
    let found = told(&checked);
    assert_eq!((found.difference(&wrong).next(), wrong.difference(&found).next()), (None, None));
    let bad = SLIPS / EVERY;
    assert_eq!(checked["slips"], json!({"read": SLIPS, "imported": 0, "already": 0, "rejected": bad}));
    let run = |code: i32| {
        let program = c.work.program(PROGRAM, &["--json", "import", &file]).limit(Duration::from_secs(500));
        program.run().expect(code).json()
    };
    let done = run(3);
    assert_eq!(told(&done), wrong);
    assert_eq!(done["slips"], json!({"read": SLIPS, "imported": SLIPS - bad, "already": 0, "rejected": bad}));
    let money = "SELECT count(*), sum(paid) FROM outpatient.charge WHERE kind = 'order' AND window_no IS NULL";
    let there = format!("{}|{}.00", SLIPS - bad, (SLIPS - bad) * 30);
    assert_eq!(c.value(money), there);
    let again = run(3);
    assert_eq!(again["slips"], json!({"read": SLIPS, "imported": 0, "already": SLIPS - bad, "rejected": bad}));
    assert_eq!(c.value(money), there);
}

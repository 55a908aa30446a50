//! A shift that began before the outage and ends after the return.

use super::Hospital;
use crate::support::workplace::DB;
use serde_json::{Value, json};

/// Registers somebody at a doctor whom he does not know, in cash.
fn register(h: &Hospital, patient: &str) -> Value {
    let doctors = h.desk_json("S02001", "W01", 0, &["schedules"]);
    let doctors = doctors["schedules"].as_array().expect("a list").clone();
    let free = doctors.iter().find(|d| {
        let schedule = d["schedule"].to_string();
        let args = ["register", "--patient", patient, "--schedule", &schedule, "--tendered", "500"];
        h.desk("S02001", "W01", &args).args(["--json"]).run().code == 0
    });
    free.expect("a doctor has a number left").clone()
}

#[test]
fn a_shift_across_both_switches_closes_right_on_the_primary() {
    let h = Hospital::new(300, 40, "");
    let open = |more: &[&str]| {
        let mut args = vec!["shift", "open"];
        args.extend(more);
        h.desk_json("S02001", "W01", 0, &args)
    };
    let earlier = "SELECT coalesce(sum(paid), 0) FROM outpatient.charge WHERE cashier_id = 2001 AND close_id IS NULL";
    let morning = h.primary.value(DB, earlier);
    open(&[]);
    register(&h, "1");
    h.work.run("his-snapshot", &[]).expect(0);
    h.work.run("his-load-standby", &[]).expect(0);
    register(&h, "2"); // in the gap
    h.work.run("his-switch", &["standby", "--reason", "test", "--ordered-by", "test"]).expect(0);

    let standing = h.desk_json("S02001", "W01", 0, &["standing"]);
    assert_eq!(
        (&standing["event"], &standing["first_of_event"], &standing["shift"]),
        (&json!("01-0001"), &json!(true), &Value::Null)
    );
    h.desk("S02001", "W01", &["shift", "open"]).run().expect(2).says("last_printed");
    let last = h.primary.value(DB, "SELECT current_no FROM outpatient.receipt_segment WHERE cashier_id = 2001");
    open(&["--last-printed", &last]);
    register(&h, "3");
    let sheet = h.desk_json("S02001", "W01", 0, &["shift", "handover"]);
    assert_eq!((sheet["gap_forms"].as_i64(), sheet["last_printed"].to_string()), (Some(1), last));
    let here = h.desk_json("S02001", "W01", 0, &["shift", "show"]);
    assert_eq!((&here["registrations"], &here["event"]), (&json!(1), &json!("01-0001")));
    let closed = h.desk_json("S02001", "W01", 0, &["shift", "close", "--counted", "1.00"]);
    assert_eq!(closed["paid"], here["paid"]);
    let over = format!("SELECT (1.00 - {})::text", here["cash"].as_str().expect("text"));
    assert_eq!(closed["over"], json!(h.standby.value(DB, &over)));

    h.to_primary(0);
    let after = h.primary.value(DB, earlier);
    let sums = format!(
        "SELECT {after} - {morning}, count(*) FROM outpatient.charge WHERE cashier_id = 2001 AND close_id IS NULL AND charged_at >= (SELECT min(opened_at) FROM desk.shift)"
    );
    let (taken, charges) =
        h.primary.value(DB, &sums).split_once('|').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("two");
    assert_eq!(charges, "3");
    assert_eq!(
        h.primary
            .value(DB, "SELECT sum(paid) FROM outpatient.charge AS c JOIN desk.voucher AS v ON v.charge_id = c.id"),
        taken
    );
    let drawer = h.desk_json("S02001", "W01", 0, &["shift", "show"]);
    let counted = drawer["cash"].as_str().expect("text").to_owned();
    let closed = h.desk_json("S02001", "W01", 0, &["shift", "close", "--counted", &counted]);
    assert_eq!((&closed["event"], &closed["over"]), (&Value::Null, &json!("0.00")));
    assert_eq!((&closed["close_paid"], &drawer["close_paid"]), (&json!(after), &json!(after)));
    let rest = "SELECT count(*) FROM outpatient.charge WHERE cashier_id = 2001 AND close_id IS NULL";
    assert_eq!(h.primary.value(DB, rest), "0");
    h.primary.psql_file(DB, &super::hospital::samples().join("check.sql")).expect(0);
}

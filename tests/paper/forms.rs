//! What is printed: blank slips and the pack, with every server off.

use super::PROGRAM;
use super::reference::{Clinic, number};
use crate::support::workplace::DB;
use serde_json::json;
use std::fs;
use std::process::Command;

const KINDS: [(&str, &str); 11] = [
    ("registration", "G"),
    ("charge", "S"),
    ("refund", "T"),
    ("prescription", "C"),
    ("treatment", "Z"),
    ("lab", "J"),
    ("exam", "X"),
    ("record", "B"),
    ("log", "L"),
    ("handover", "K"),
    ("callback", "H"),
];

/// Kinds that are printed in three parts.
fn parts(kind: &str) -> usize {
    if matches!(kind, "record" | "log" | "handover" | "callback") { 1 } else { 3 }
}

#[test]
fn every_kind_is_printed_in_both_languages_and_sizes_with_each_number_once_on_each_part() {
    let mut c = Clinic::new();
    c.primary.stop_immediate();
    for language in ["zh-CN", "en"] {
        c.work.set("site", "language", &format!("\"{language}\""));
        for (kind, prefix) in KINDS {
            let numbers = c.numbers(kind, 2);
            assert!(numbers[0].starts_with(prefix));
            for page in ["a4", "a5"] {
                let args = ["forms", kind, &numbers[0], &numbers[1], "--page", page, "--output", "out.html"];
                assert_eq!(c.work.json(0, PROGRAM, &args)["count"], 2);
                let html = fs::read_to_string(c.work.path().join("out.html")).expect("printed");
                for number in &numbers {
                    assert_eq!(
                        html.matches(&format!("<div class=\"number\">{number}</div>")).count(),
                        parts(kind),
                        "{kind}"
                    );
                    assert_eq!(html.matches(&format!("data-slip=\"{number}\"")).count(), parts(kind), "{kind}");
                }
                assert!(html.contains(&format!("size: {}", page.to_uppercase())) && html.contains("示例医院门诊部"));
                // Two sheets, or one that is cut.
                let sheets = if page == "a5" {
                    2 * parts(kind)
                } else if kind == "callback" {
                    1
                } else {
                    2
                };
                assert_eq!(
                    (html.matches("<div class=\"page\">").count(), html.matches("<section").count()),
                    (sheets, 2 * parts(kind)),
                    "{kind}"
                );
                assert!(html.contains("<svg class=\"bars\"") && !html.contains("src=") && !html.contains("href="));
                assert_eq!(
                    html.contains("系统恢复后凭此换开医疗电子票据"),
                    language != "en" && matches!(kind, "charge" | "registration")
                );
            }
        }
    }
}

#[test]
fn what_the_profile_says_is_printed_and_nothing_in_it_is_taken_for_html() {
    let mut c = Clinic::new();
    c.work.set("site", "name", "\"医院 <b>& 门诊</b>\"");
    let numbers = c.numbers("charge", 1);
    let args = ["forms", "charge", &numbers[0], "--output", "out.html"];
    c.work.json(0, PROGRAM, &args);
    let html = fs::read_to_string(c.work.path().join("out.html")).expect("printed");
    assert!(html.contains("医院 &lt;b&gt;&amp; 门诊&lt;&#x2f;b&gt;"), "{}", &html[..300]);
    for header in ["挂号单号或门诊号", "项目编码", "单价", "数量", "金额", "合计金额", "□现金", "□记账", "应急收费凭证"]
    {
        assert!(html.contains(header), "{header}");
    }
    // A hospital's own template of that name wins.
    fs::write(c.work.path().join("paper/charge.html"), "OURS {{ slips[0].number }} {{ site }}").expect("written");
    c.work.json(0, PROGRAM, &args);
    let html = fs::read_to_string(c.work.path().join("out.html")).expect("printed");
    assert_eq!(html, format!("OURS {} 医院 &lt;b&gt;&amp; 门诊&lt;&#x2f;b&gt;", numbers[0]));
}

#[test]
fn numbers_that_nobody_has_or_that_have_ended_are_not_printed() {
    let c = Clinic::new();
    let numbers = c.numbers("charge", 2);
    let print =
        |first: &str, last: &str| c.work.run(PROGRAM, &["forms", "charge", first, last, "--output", "out.html"]);
    let never = number("S", 3);
    print(&numbers[0], &never).expect(4).says(&format!("'{never}' was never issued"));
    c.work.json(0, PROGRAM, &["numbers", "void", &numbers[1], "--why", "spoiled"]);
    print(&numbers[0], &numbers[1]).expect(4).says(&format!("'{}' has ended already", numbers[1]));
    print(&numbers[1], &numbers[0]).expect(2);
    assert!(!c.work.path().join("out.html").exists());
}

#[test]
fn the_print_pack_of_a_delta_has_every_price_and_patient_as_one_of_a_full_snapshot_has_with_both_servers_off() {
    let mut c = Clinic::new();
    c.work.set("store", "full_every", "\"1d\"");
    let today = c.value("SELECT outpatient.today()");
    let page = c.work.path().join("paper/page-schedules.html");
    let text = fs::read_to_string(&page).expect("a page").replace("[today]", &format!("[\"{today}\"]"));
    fs::write(&page, text).expect("written");
    let take = |args: &[&str], kind: &str| assert_eq!(c.work.json(0, "his-snapshot", args)["kind"], kind);
    take(&[], "full");
    let price = |cents: u32| {
        c.primary
            .execute(DB, &format!("UPDATE base.charge_price SET price = {cents}::numeric / 100 WHERE item_id % 7 = 1"));
    };
    price(123_456);
    take(&[], "delta");
    price(77_701);
    c.primary.execute(DB, "SET session_replication_role = replica; UPDATE base.charge_item SET name = '改名' WHERE id % 50 = 3; DELETE FROM base.charge_item WHERE id % 50 = 4; UPDATE outpatient.patient SET name = name || '改' WHERE id % 3 = 0");
    take(&[], "delta");
    take(&[], "delta");
    let pack = || {
        c.work.json(0, PROGRAM, &["pack", "--to", "box"]);
        let rows = |page: &str| {
            let text = fs::read_to_string(c.work.path().join("box").join(page)).expect("a page");
            let rows: Vec<String> = text.lines().filter(|l| l.contains("<td")).map(str::to_owned).collect();
            assert!(!rows.is_empty(), "{page} is empty");
            rows
        };
        ["page-prices.html", "page-schedules.html"].map(rows)
    };
    for side in [&c.primary, &c.standby] {
        side.stop_fast();
    }
    let of_delta = pack();
    c.primary.start_again();
    take(&["--full"], "full");
    assert_eq!(of_delta, pack());
    assert!(of_delta[0].concat().contains("777.01") && of_delta[0].concat().contains("改名"));
}

#[test]
fn the_print_pack_is_written_from_the_snapshot_with_both_servers_off_and_its_numbers_are_kept_until_they_are_used() {
    let c = Clinic::new();
    c.work.run("his-snapshot", &[]).expect(0);
    let name = c.value("SELECT name FROM base.charge_item WHERE is_active ORDER BY code LIMIT 1");
    let booked = c.value(
        "SELECT name FROM outpatient.appointment a JOIN outpatient.patient p ON p.id = a.patient_id JOIN outpatient.schedule s ON s.id = a.schedule_id WHERE a.status = 0 AND work_date = outpatient.today() LIMIT 1",
    );
    // The pages are of the snapshot's day; the generated day is another.
    let today = c.value("SELECT outpatient.today()");
    let page = c.work.path().join("paper/page-schedules.html");
    let text = fs::read_to_string(&page).expect("a page").replace("[today]", &format!("[\"{today}\"]"));
    fs::write(&page, text).expect("written");
    c.primary.stop_immediate();
    c.standby.stop_immediate();
    let packed = c.work.json(0, PROGRAM, &["pack", "--to", "box"]);
    // Three windows with 20 registrations, 20 charges and 5 refunds each.
    assert_eq!((&packed["slips"], &packed["pages"]), (&json!(135), &json!(3)));
    let read = |file: &str| fs::read_to_string(c.work.path().join("box").join(file)).expect("a page");
    assert!(read("page-prices.html").contains(&name) && read("page-schedules.html").contains(&booked));
    assert!(read("index.html").contains("W02-charge.html") && read("runbook.html").contains("两套数据库都不能用时"));
    let sums = || {
        Command::new("sha256sum").args(["-c", "--quiet", "SHA256SUMS"]).current_dir(c.work.path().join("box")).status()
    };
    assert!(sums().expect("sha256sum runs").success());
    let first = read("W01-charge.html");
    // The next night: the same numbers, and none of them is outstanding.
    c.work.json(0, PROGRAM, &["pack", "--to", "box"]);
    assert_eq!(read("W01-charge.html"), first);
    let status = c.work.json(0, PROGRAM, &["status"]);
    assert_eq!((&status["slips"]["outstanding"], &status["pack"]["slips"]), (&json!(0), &json!(135)));
    // One was used: the rest of that block is out of hand, and the next pack gets new ones.
    let used = number("S", 1);
    assert!(first.contains(&used));
    c.work.json(0, PROGRAM, &["numbers", "void", &used, "--why", "printed and spoiled"]);
    assert_eq!(c.work.json(0, PROGRAM, &["status"])["slips"]["outstanding"], 19);
    c.work.json(0, PROGRAM, &["pack", "--to", "box"]);
    assert!(!read("W01-charge.html").contains(&number("S", 2)) && sums().expect("sha256sum runs").success());
    // What is no pack is not replaced.
    c.work.run(PROGRAM, &["pack", "--to", "store"]).expect(2).says("there is something else in that directory");
}

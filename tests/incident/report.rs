//! The report: its figures are those of the reconciliation, and no patient is in it.

use std::fs;

use serde_json::{Value, json};

use super::{hospital, incident};
use crate::support::workplace::DB;

#[test]
fn the_reports_figures_are_those_of_the_reconciliation_and_no_row_of_the_his_is_in_it() {
    let hospital = hospital();
    incident(&hospital, 0, &["start", "--cause", "server", "--level", "2", "--why", "dead"]);
    hospital.open();
    for (window, total) in [("w1", "12.5"), ("w1", "7.25"), ("w2", "100")] {
        let sql =
            format!("SET application_name = '{window}'; INSERT INTO op.charge (total, who) VALUES ({total}, '张三丰')");
        hospital.standby.execute(DB, &sql);
    }
    hospital.standby.execute(DB, "SET application_name = 'w2'; UPDATE op.charge SET who = '李四光' WHERE id = 1");
    hospital.primary.execute(DB, "UPDATE op.charge SET who = '王五' WHERE id = 1");
    hospital.switch(3, &["primary"]);
    incident(&hospital, 0, &["task", "done", "judge-scope"]);
    incident(&hospital, 3, &["end", "--why", "mended"]);
    incident(&hospital, 0, &["review", "--cause", "a disk"]);
    let args = ["review", "--improvement", "a second disk", "--owner", "IT", "--due", "2027-01-31"];
    incident(&hospital, 0, &args);
    let written = incident(&hospital, 3, &["report", "--to", "report"]);
    let reconcile = hospital.work.json(0, "his-merge", &["reconcile"]);
    let event = &written["facts"]["events"][0];
    for key in ["event", "balanced", "accounted", "closed", "units", "rows", "table"] {
        assert_eq!(event["figures"]["reconcile"][key], reconcile[key], "{key}");
    }
    assert_eq!(event["figures"]["reconcile"]["units"]["captured"], 4);
    let per_minute = event["figures"]["per_minute"].as_array().unwrap();
    assert_eq!(per_minute.iter().map(|m| m[1].as_u64().unwrap()).sum::<u64>(), 4);
    let windows: Vec<(Value, Value, Value)> = event["figures"]["windows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| (w["application"].clone(), w["units"].clone(), w["money"].clone()))
        .collect();
    let money = |sum: &str| json!([["op.charge.total", sum]]);
    assert_eq!(windows, [(json!("w1"), json!(2), money("19.7500")), (json!("w2"), json!(2), money("100.0000"))]);
    assert_eq!(
        event["figures"]["conflicts"],
        json!([{"kind": "changed", "table": "op.charge", "take": "", "by_policy": false, "count": 1}])
    );
    assert!(event["gap_seconds"].is_i64() && event["switch_seconds"].is_f64() && event["return_seconds"].is_f64());
    assert_eq!(
        written["open"],
        json!(["01-0001: 1 units wait for a person", "01-0001: finance and IT have not both signed off"])
    );
    for file in written["files"].as_array().unwrap() {
        let text = fs::read_to_string(file.as_str().unwrap()).unwrap();
        for name in ["张三丰", "李四光", "王五"] {
            assert!(!text.contains(name), "{name} in {file}");
        }
        for figure in ["119.7500", "19.7500", "a disk", "a second disk", "2027-01-31"] {
            assert!(text.contains(figure), "{figure} in {file}: {text}");
        }
    }
    let page = fs::read_to_string(written["files"][0].as_str().unwrap()).unwrap();
    assert!(page.contains("<svg ") && page.contains("每分钟业务笔数") && page.contains("账平"), "{page}");
    assert!(
        !page.contains("http://")
            || page.matches("http://").count() == page.matches("http://www.w3.org/2000/svg").count()
    );
}

#[test]
fn without_the_primary_the_report_is_written_and_says_what_is_missing() {
    let hospital = hospital();
    incident(&hospital, 0, &["start", "--cause", "server"]);
    hospital.open();
    hospital.standby.execute(DB, "INSERT INTO op.charge (total) VALUES (1)");
    hospital.work.run("his-export-queue", &["-q"]).expect(0);
    hospital.primary.stop_immediate();
    let written = incident(&hospital, 3, &["report", "--to", "report"]);
    let open = written["open"].to_string();
    assert!(open.contains("the reconciliation is missing") && open.contains("has not ended"), "{open}");
    let page = fs::read_to_string(written["files"][1].as_str().unwrap()).unwrap();
    assert!(page.contains("没有对账结果"), "{page}");
}

#[test]
fn an_incident_without_a_switch_has_a_report_too() {
    let hospital = hospital();
    incident(&hospital, 0, &["start", "--cause", "fire", "--level", "1", "--why", "kitchen"]);
    incident(&hospital, 0, &["task", "done", "fire-call"]);
    incident(&hospital, 3, &["end", "--why", "out"]);
    incident(&hospital, 0, &["review", "--cause", "kitchen"]);
    let written = incident(&hospital, 0, &["report", "--to", "report"]);
    assert_eq!(written["facts"]["events"], json!([]));
    let page = fs::read_to_string(written["files"][2].as_str().unwrap()).unwrap();
    assert!(page.contains("plan started: fire, level I, most serious: kitchen"), "{page}");
}

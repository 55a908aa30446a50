//! The plan: read, checked, printed.

use std::fs;

use serde_json::json;

use super::{hospital, incident};

#[test]
fn the_sample_plan_reads_with_four_levels_and_with_three() {
    let hospital = hospital();
    let four = incident(&hospital, 0, &["plan"]);
    assert_eq!(four["levels"].as_array().unwrap().len(), 4);
    let path = hospital.work.path().join("plan.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("levels-four.toml", "levels-three.toml")).unwrap();
    let three = incident(&hospital, 0, &["plan"]);
    let levels: Vec<_> = three["levels"].as_array().unwrap().iter().map(|l| l["level"].clone()).collect();
    assert_eq!(levels, [json!(1), json!(2), json!(3)]);
    incident(&hospital, 0, &["start", "--cause", "server", "--level", "3"]);
}

#[test]
fn every_cause_of_the_sample_plan_starts_with_a_task_list_of_its_own() {
    let hospital = hospital();
    let plan = incident(&hospital, 0, &["plan"]);
    let mut lists = Vec::new();
    for cause in plan["causes"].as_array().unwrap() {
        let (id, switch) = (cause["id"].as_str().unwrap(), cause["switch"] == true);
        let started = incident(&hospital, 0, &["start", "--cause", id, "--level", "1"]);
        let open = started["tasks"]["open"].as_u64().unwrap();
        assert!(open >= 4, "{id}: {open}");
        if !switch {
            lists.push((id.to_owned(), started["tasks"]["list"].to_string()));
        }
        incident(&hospital, 3, &["end", "--why", "the next one"]);
    }
    for name in ["fire", "power", "public-health"] {
        let list = &lists.iter().find(|(id, _)| id == name).expect("a cause without a switch").1;
        assert!(!list.contains("reopen-programs"), "{name}: {list}");
    }
}

#[test]
fn names_that_lead_nowhere_are_told_all_at_once() {
    let mut hospital = hospital();
    let path = hospital.work.path().join("plan.toml");
    let text = fs::read_to_string(&path).unwrap();
    let wrong = text
        .replace("id = \"switch\"\nrole = \"dba\"", "id = \"switch\"\nrole = \"dbas\"")
        .replace("levels = [1]\n", "levels = [5]\n")
        .replacen("fetches = \"triage\"", "fetches = \"nobody\"", 1);
    fs::write(&path, wrong).unwrap();
    let ran = hospital.work.run("his-incident", &["status"]).expect(2);
    for line in ["task 'switch': there is no role 'dbas'", "there is no level 5", "there is no role 'nobody'"] {
        assert!(ran.stderr.contains(line), "{}", ran.shown());
    }
    fs::write(&path, text.replacen("card = true", "cards = true", 1)).unwrap();
    hospital.work.run("his-incident", &["plan"]).expect(2).says("unknown field `cards`");
    hospital.work.edit(|p| {
        p.unset("plan", "file");
    });
    hospital.work.run("his-incident", &["status"]).expect(2).says("samples/plan/plan.toml is a complete one");
}

#[test]
fn each_post_has_a_card_and_the_call_list_names_people_deputies_and_supplies() {
    let mut hospital = hospital();
    hospital.work.set("site", "language", "\"zh-CN\"");
    incident(&hospital, 0, &["plan", "--cards", "cards.html"]);
    let cards = fs::read_to_string(hospital.work.path().join("cards.html")).unwrap();
    assert!(cards.contains("size: A5"));
    assert_eq!(cards.matches("<section class=\"sheet\">").count(), 7);
    for post in ["总指挥", "数据库管理员(DBA)", "预检分诊护士", "挂号收费员", "财务科", "药房", "检验科"]
    {
        assert!(cards.contains(&format!("<h1>{post}</h1>")), "{post}");
    }
    incident(&hospital, 0, &["call-list", "--to", "calls.html"]);
    let calls = fs::read_to_string(hospital.work.path().join("calls.html")).unwrap();
    for text in ["一级(特别重大)", "四级(一般)", "医保经办机构", "(副)", "编号手工单", "备用打印机"]
    {
        assert!(calls.contains(text), "{text}");
    }
}

#[test]
fn levels_and_causes_that_the_plan_does_not_have_are_refused_by_name() {
    let hospital = hospital();
    let ran = hospital.work.run("his-incident", &["start", "--cause", "aliens"]).expect(2);
    assert!(ran.hint().starts_with("it has: server, hung, network, "), "{}", ran.shown());
    let text = fs::read_to_string(hospital.work.path().join("plan.toml")).unwrap();
    fs::write(hospital.work.path().join("plan.toml"), text.replace("levels-four", "levels-three")).unwrap();
    let ran = hospital.work.run("his-incident", &["start", "--cause", "server", "--level", "4"]).expect(2);
    assert!(ran.stderr.contains("the plan has no level 4 (expected 1, 2, 3)"), "{}", ran.shown());
}

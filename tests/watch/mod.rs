//! `his-watch`, from outside: everything that it checks is broken, one at a time, and exactly that check turns.

pub mod beside;
mod bouncers;
mod breaks;
mod shows;

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::Program;
use crate::switch::Hospital;

/// A plan with nothing missing, `TODAY` to be replaced.
const PLAN: &str = r#"
format = 1
name = { zh = "门诊应急预案", en = "Outpatient emergency plan" }
reviewed = "TODAY"
reviewed_by = "office"
[[level]]
level = 1
name = { zh = "一级", en = "I" }
criteria = { zh = "全部窗口", en = "all windows" }
decides = "commander"
calls = ["commander"]
[[level]]
level = 2
name = { zh = "二级", en = "II" }
criteria = { zh = "部分窗口", en = "some windows" }
decides = "commander"
calls = ["commander"]
[[group]]
id = "command"
name = { zh = "应急指挥部", en = "command" }
duties = { zh = "指挥", en = "commands" }
[[role]]
id = "commander"
group = "command"
name = { zh = "总指挥", en = "commander" }
duties = { zh = "指挥", en = "commands" }
[[role.person]]
name = "甲"
phone = "1"
checked = "TODAY"
[[role.person]]
name = "乙"
phone = "2"
deputy = true
checked = "TODAY"
[[cause]]
id = "server"
name = { zh = "服务器故障", en = "server" }
switch = true
[[supply]]
id = "slips"
kind = "form"
name = { zh = "手工单", en = "slips" }
unit = { zh = "份", en = "sheets" }
least = 100
place = { zh = "应急箱", en = "box" }
fetches = "commander"
[[task]]
id = "report-up"
role = "commander"
phase = "response"
text = { zh = "上报", en = "report" }
minutes = 15
"#;

/// The states of all checks by name.
pub type States = BTreeMap<String, String>;

/// A hospital where everything is well, but for what one machine cannot have: `accept` in its profile.
pub fn well() -> Hospital {
    let mut hospital = Hospital::new();
    let today = date("today");
    fs::write(hospital.work.path().join("plan.toml"), PLAN.replace("TODAY", &today)).unwrap();
    hospital.work.edit(|profile| {
        profile.set("plan", "file", "\"plan.toml\"");
        profile.set("watch", "accept", "[\"apart\", \"mirror\", \"restore-test\"]");
    });
    let offline = hospital.work.path().join("offline");
    fs::create_dir(&offline).unwrap();
    hospital.work.run("his-snapshot", &["copy", "--to", "offline"]).expect(0);
    hospital.work.run("his-switch", &["drill"]).expect(0);
    hospital.work.run("his-incident", &["supplies", "--counted", "slips=100"]).expect(0);
    hospital
}

/// A date as `date -d` says it.
fn date(when: &str) -> String {
    let said = Program::at("/bin/date".as_ref()).env("TZ", "Asia/Shanghai").args(["-d", when, "+%F"]).run().expect(0);
    said.stdout.trim().to_owned()
}

/// Runs it; gives its JSON, whatever its exit code.
#[track_caller]
pub fn look(hospital: &Hospital) -> Value {
    let ran = hospital.work.program("his-watch", &["--json"]).run();
    let json = ran.json();
    let expected = match json["verdict"].as_str() {
        Some("READY") => 0,
        Some("DEGRADED") => 3,
        Some("NOT READY") => 4,
        _ => panic!("{}", ran.shown()),
    };
    assert_eq!(ran.code, expected, "{}", ran.shown());
    json
}

pub fn states(json: &Value) -> States {
    let checks = json["checks"].as_array().expect("a list");
    let text = |v: &Value| v.as_str().expect("a text").to_owned();
    let states: States = checks.iter().map(|c| (text(&c["check"]), text(&c["state"]))).collect();
    assert_eq!(states.len(), checks.len(), "each check once: {json}");
    states
}

/// What has turned since, as `check state`, and the verdict behind it.
#[track_caller]
pub fn turned(hospital: &Hospital, before: &States) -> Vec<String> {
    let json = look(hospital);
    let now = states(&json);
    assert_eq!(now.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "no check vanishes: {json}");
    let turned = now.iter().filter(|(name, state)| before[*name] != **state).map(|(n, s)| format!("{n} {s}"));
    turned.chain([json["verdict"].as_str().unwrap().to_owned()]).collect()
}

/// The text of one check.
pub fn text(json: &Value, check: &str) -> String {
    let found = json["checks"].as_array().unwrap().iter().find(|c| c["check"] == check);
    found.unwrap_or_else(|| panic!("there is no check {check}: {json}"))["text"].as_str().unwrap().to_owned()
}

//! Notices: filled, written in both languages, handed to the hook.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::{hospital, incident};
use crate::switch::Hospital;

fn hook(hospital: &mut Hospital, text: &str) {
    let path = hospital.work.path().join("tell.sh");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    hospital.work.set("plan", "notice_hook", "\"tell.sh\"");
}

#[test]
fn the_windows_of_a_hung_server_are_told_to_close_and_reopen_their_program_and_where_the_data_ends() {
    let mut hospital = hospital();
    hospital.work.set("site", "language", "\"zh-CN\"");
    hook(&mut hospital, "cat > told.json; echo \"$HIS_NOTICE $HIS_TO $HIS_INCIDENT\" > env.txt");
    incident(&hospital, 0, &["start", "--cause", "hung", "--level", "2"]);
    let opened = hospital.open();
    let said = incident(&hospital, 0, &["notice", "staff-switch"]);
    let text = said["text"].as_str().unwrap();
    assert!(text.contains("关闭并重新打开收费程序") && text.contains("二级(重大)"), "{text}");
    let until = hospital.status()["data_until"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let of_day = until.with_timezone(&chrono_tz::Asia::Shanghai).format("%H:%M").to_string();
    assert!(text.contains(&format!("应急库数据截至 {of_day}")), "{text} {opened}");
    let told: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(hospital.work.path().join("told.json")).unwrap()).unwrap();
    assert_eq!((&told["text"], &told["to"]), (&said["text"], &serde_json::json!("staff")));
    assert_eq!(fs::read_to_string(hospital.work.path().join("env.txt")).unwrap(), "staff-switch staff 01-I0001\n");
    let files = said["files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    let page = fs::read_to_string(files[0].as_str().unwrap()).unwrap();
    assert!(page.contains("关闭并重新打开收费程序") && page.contains("close and reopen the program"), "{page}");
}

#[test]
fn every_notice_of_the_sample_plan_can_be_filled_and_online_booking_is_stopped_by_one() {
    let hospital = hospital();
    incident(&hospital, 0, &["start", "--cause", "server"]);
    let notices = incident(&hospital, 0, &["notice"]);
    let mut audiences = std::collections::BTreeSet::new();
    for notice in notices["notices"].as_array().unwrap() {
        let said = incident(&hospital, 0, &["notice", notice["notice"].as_str().unwrap(), "--to", "wall"]);
        assert!(!said["text"].as_str().unwrap().contains("{{"), "{said}");
        audiences.insert(said["to"].as_str().unwrap().to_owned());
    }
    assert_eq!(audiences.into_iter().collect::<Vec<_>>(), ["patients", "staff", "superiors"]);
    let stop = incident(&hospital, 0, &["notice", "staff-online-stop"]);
    assert!(stop["text"].as_str().unwrap().contains("stop online booking"), "{stop}");
}

#[test]
fn a_hook_that_fails_or_hangs_leaves_the_notice_written_and_needs_a_person() {
    let mut hospital = hospital();
    incident(&hospital, 0, &["start", "--cause", "server"]);
    hook(&mut hospital, "exit 7");
    let said = incident(&hospital, 3, &["notice", "staff-slow"]);
    assert_eq!(said["handed_over"], false);
    assert!(fs::exists(said["files"][0].as_str().unwrap()).unwrap());
    hook(&mut hospital, "sleep 600");
    let ran = hospital.work.run("his-incident", &["notice", "staff-slow"]).expect(3).says("was ended");
    assert!(ran.took < Duration::from_secs(60));
}

#[test]
fn a_text_that_asks_for_what_nobody_gave_says_so_and_what_is_given_cannot_break_the_page() {
    let hospital = hospital();
    let path = hospital.work.path().join("plan.toml");
    let text = fs::read_to_string(&path).unwrap();
    let own = "[[notice]]\nid = \"own\"\nto = \"staff\"\ntitle = { zh = \"题\", en = \"Title\" }\ntext = { zh = \"到{{ room }}\", en = \"to {{ room }}\" }\n";
    fs::write(&path, text + own).unwrap();
    incident(&hospital, 0, &["start", "--cause", "server"]);
    let ran = hospital.work.run("his-incident", &["notice", "own"]).expect(2);
    assert!(ran.hint().contains("--set NAME=TEXT"), "{}", ran.shown());
    let said = incident(&hospital, 0, &["notice", "own", "--set", "room=<script>7</script>"]);
    let page = fs::read_to_string(said["files"][0].as_str().unwrap()).unwrap();
    assert!(page.contains("&lt;script&gt;7") && !page.contains("<script>"), "{page}");
}

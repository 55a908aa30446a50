//! systemd units and the crontab.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Place, Program};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/systemd")
}

fn units(ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path()).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == ending));
    found.sort();
    found
}

#[test]
fn systemd_finds_nothing_wrong_with_any_unit() {
    let analyze = [Path::new("/usr/bin/systemd-analyze"), Path::new("/bin/systemd-analyze")];
    let analyze = analyze.into_iter().find(|p| p.exists()).expect("systemd-analyze: `make deps` installs it");
    let verify = |dir: &Path| {
        let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
        files.retain(|p| p.extension().is_some_and(|e| e == "service" || e == "timer"));
        Program::at(analyze).args(["verify", "--man=no"]).args(files).env("SYSTEMD_LOG_LEVEL", "warning").run()
    };
    // The programs are not installed here, and systemd looks for them: they stand for themselves in a copy.
    let place = Place::new("units");
    for file in units("service").into_iter().chain(units("timer")) {
        let text = fs::read_to_string(&file).unwrap();
        let program = Program::path("his-watch");
        let bin = program.parent().unwrap().display().to_string();
        let text = text.replace("/usr/local/bin", &bin).replace("User=his", "User=root");
        fs::write(place.path().join(file.file_name().unwrap()), text).unwrap();
    }
    let ran = verify(place.path()).expect(0);
    let own = |text: &str| text.lines().filter(|l| l.contains("his-")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(own(&ran.stderr), Vec::<String>::new(), "{}", ran.shown());
    // And it is not blind.
    let broken = place.path().join("his-watch.timer");
    let text = fs::read_to_string(&broken).unwrap();
    fs::write(&broken, text.replace("OnCalendar=", "OnCalender=")).unwrap();
    assert!(!own(&verify(place.path()).stderr).is_empty());
}

#[test]
fn every_timer_has_its_service_and_every_program_in_them_and_in_the_crontab_is_ours() {
    let names = |ending: &str| -> BTreeSet<String> {
        units(ending).iter().map(|p| p.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(names("timer"), names("service"));
    let crontab = fs::read_to_string(folder().join("../crontab")).unwrap();
    let all: String = units("service").iter().map(|p| fs::read_to_string(p).unwrap()).collect::<String>() + &crontab;
    let called =
        all.split_whitespace().map(|w| w.trim_start_matches("/usr/local/bin/")).filter(|w| w.starts_with("his-"));
    let called: BTreeSet<&str> = called.filter(|w| w.chars().all(|c| c.is_ascii_lowercase() || c == '-')).collect();
    for program in ["his-watch", "his-drill", "his-snapshot", "his-load-standby", "his-export-queue"] {
        assert!(called.contains(program), "{program} in {called:?}");
    }
    for program in called.iter().filter(|p| **p != "his-oncall" && **p != "his-db" && **p != "his-standby") {
        assert!(Program::path(program).exists(), "{program}");
    }
}

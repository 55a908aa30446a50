//! Runbooks, run as somebody runs them at night: the programs on PATH, as the user that owns the store.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::workplace::DB;
use crate::support::{Program, Ran};
use crate::switch::Hospital;

fn runbook(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/runbooks").join(name)
}

/// Runs a runbook. They refuse root, so root is asked who it is by a PATH where `id` says another number.
#[track_caller]
fn run(hospital: &Hospital, name: &str, args: &[&str], code: i32) -> Ran {
    let bin = hospital.work.path().join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("id"), "#!/bin/sh\necho 1000\n").unwrap();
        fs::set_permissions(bin.join("id"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let ours = Program::path("his-switch");
    let path = format!("{}:{}:/usr/bin:/bin", bin.display(), ours.parent().unwrap().display());
    let program = Program::at("/bin/sh".as_ref()).args([runbook(name).to_str().unwrap()]).args(args);
    program
        .env("PATH", path)
        .env("HIS_CONFIG", hospital.work.config())
        .env("WAIT", "1")
        .dir(hospital.work.path())
        .run()
        .expect(code)
}

fn hospital() -> Hospital {
    crate::incident::hospital()
}

#[test]
fn a_slow_primary_warns_and_a_hung_one_moves_the_windows() {
    let hospital = hospital();
    run(&hospital, "slow-or-hung.sh", &["everything is slow"], 0).says("The primary answers.");
    assert_eq!(hospital.status()["mode"], "normal");
    hospital.primary.freeze();
    run(&hospital, "slow-or-hung.sh", &["nothing moves"], 0).says("close and reopen the program");
    assert_eq!(hospital.side(), "standby");
    hospital.primary.thaw();
    run(&hospital, "back-to-normal.sh", &[], 0);
    assert_eq!(hospital.side(), "primary");
}

#[test]
fn a_building_that_is_cut_off_works_beside_the_primary_and_a_dead_primary_is_another_runbook() {
    let hospital = hospital();
    run(&hospital, "building-cut-off.sh", &["the bridge burned"], 0);
    let status = hospital.status();
    assert_eq!((status["mode"].as_str(), status["primary"]["fenced"].as_bool()), (Some("standby"), Some(false)));
    run(&hospital, "back-to-normal.sh", &[], 0);
    hospital.primary.stop_fast();
    run(&hospital, "building-cut-off.sh", &["x"], 4).says("primary-down.sh or slow-or-hung.sh");
}

#[test]
fn after_an_attack_the_offline_copy_makes_a_clean_standby_and_a_damaged_copy_does_not() {
    let hospital = hospital();
    let offline = hospital.work.path().join("offline");
    fs::create_dir(&offline).unwrap();
    hospital.work.run("his-snapshot", &["copy", "--to", "offline"]).expect(0);
    let copy = fs::read_dir(&offline).unwrap().next().unwrap().unwrap().path();
    hospital.primary.stop_immediate();
    let file = fs::read_dir(copy.join("data")).unwrap().next().unwrap().unwrap().path();
    let sound = fs::read(&file).unwrap();
    let mut bytes = sound.clone();
    bytes[5] ^= 1;
    fs::write(&file, bytes).unwrap();
    run(&hospital, "attack.sh", &[copy.to_str().unwrap(), "ransom"], 5).says("the offline copy is damaged");
    fs::write(&file, sound).unwrap();
    // Everything but the offline copy is gone.
    fs::remove_dir_all(hospital.work.store().join("snapshots")).unwrap();
    hospital.standby.execute("postgres", "DROP DATABASE his_g1");
    hospital.standby.execute("postgres", "DROP DATABASE his");
    run(&hospital, "attack.sh", &[copy.to_str().unwrap(), "ransom"], 0);
    assert_eq!(hospital.side(), "standby");
    assert_eq!(hospital.standby.value(DB, "SELECT count(*) FROM op.charge WHERE who = 'before'"), "20");
}

#[test]
fn when_the_standby_goes_too_the_windows_go_to_paper_and_its_units_are_not_forgotten() {
    let hospital = hospital();
    hospital.primary.stop_immediate();
    hospital.open();
    hospital.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (3, 'w')");
    hospital.work.run("his-export-queue", &["-q"]).expect(0);
    hospital.standby.stop_immediate();
    run(&hospital, "standby-down.sh", &["both gone"], 6).says("--standby-lost");
    run(&hospital, "standby-down.sh", &["both gone", "--standby-lost"], 3).says("emergency box");
    assert_eq!(hospital.status()["mode"], "paper");
    hospital.primary.start_again();
    run(&hospital, "back-to-normal.sh", &["--standby-lost", "--why", "burned"], 3);
    assert_eq!(hospital.primary.value(DB, "SELECT sum(total) FROM op.charge WHERE who = 'w'"), "3.0000");
}

#[test]
fn a_second_outage_soon_after_the_return_goes_on_where_the_windows_were() {
    let hospital = hospital();
    hospital.primary.stop_immediate();
    run(&hospital, "primary-down.sh", &["first"], 0);
    hospital.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (1, 'one')");
    hospital.primary.start_again();
    hospital.switch(0, &["primary"]);
    hospital.primary.stop_immediate();
    run(&hospital, "second-outage.sh", &["second"], 0);
    hospital.standby.execute(DB, "INSERT INTO op.charge (total, who) VALUES (2, 'two')");
    hospital.primary.start_again();
    run(&hospital, "back-to-normal.sh", &[], 0);
    assert_eq!(hospital.primary.value(DB, "SELECT sum(total) FROM op.charge WHERE who IN ('one', 'two')"), "3.0000");
}

#[test]
fn a_primary_put_back_to_an_old_backup_gets_what_it_has_forgotten() {
    let hospital = hospital();
    let snapshot = hospital.work.json(0, "his-snapshot", &["list"]);
    let id = snapshot["snapshots"][0]["snapshot"].as_str().unwrap().to_owned();
    hospital.primary.execute(DB, "DELETE FROM op.charge WHERE id > 15");
    run(&hospital, "data-loss.sh", &[&id], 0).says("back-to-normal.sh");
    assert_eq!(hospital.primary.value(DB, "SELECT count(*) FROM op.charge"), "20");
}

#[test]
fn the_fence_is_lifted_by_one_line_and_without_the_toolkit_by_psql() {
    let hospital = hospital();
    for by_psql in [false, true] {
        hospital.work.run("his-switch", &["fence"]).expect(0);
        assert_eq!(hospital.status()["primary"]["fenced"], true);
        let url = hospital.primary.url(DB);
        let ours = Program::path("his-switch");
        let path = format!("{}:{}", ours.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let program = Program::at("/bin/sh".as_ref()).args([runbook("lift-fence.sh")]).env("PATH", path);
        let program =
            if by_psql { program.env("LIFT_URL", url) } else { program.env("HIS_CONFIG", hospital.work.config()) };
        program.run().expect(0);
        assert_eq!(hospital.status()["primary"]["fenced"], false, "by psql: {by_psql}");
        assert_eq!(hospital.side(), "primary");
    }
}

#[test]
fn every_runbook_refuses_root_and_says_how_it_is_called() {
    for file in fs::read_dir(runbook("")).unwrap().map(|e| e.unwrap().path()) {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(text.starts_with("#!/bin/sh\n# "), "{name}");
        if name != "lift-fence.sh" {
            assert!(text.contains("run this as the user that owns the store"), "{name}");
        }
    }
}

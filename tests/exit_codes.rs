//! Every exit code that a program can give is given here once, with its HINT; and the others are named, with the reason
//! why they cannot be.
//!
//! The table is one bad day: each line leaves the hospital as the next one needs it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use crate::support::workplace::DB;
use crate::support::{PROGRAMS, Ran};
use crate::switch::Hospital;

const CODES: std::ops::RangeInclusive<i32> = 0..=7;

/// One line of the table.
struct Case {
    program: &'static str,
    code: i32,
    /// In what situation the program gives the code.
    when: &'static str,
    /// Words of the HINT; empty for 0 and 3, which are results.
    hint: &'static str,
    /// Makes the situation and gives it to the check.
    act: fn(&mut Hospital, &Check),
}

const fn case(
    program: &'static str,
    code: i32,
    when: &'static str,
    hint: &'static str,
    act: fn(&mut Hospital, &Check),
) -> Case {
    Case { program, code, when, hint, act }
}

/// What no situation makes a program give.
const NEVER: [(&str, i32, &str); 8] = [
    ("his-snapshot", 3, "a snapshot is there whole or not at all; what `check` finds are errors (2) or warnings (0)"),
    ("his-export-queue", 3, "a batch holds or is damaged (5); what is in it is for a person only when it is merged"),
    ("his-desk", 5, "it reads nothing that bears a checksum"),
    ("his-desk", 7, "any number of windows work at the same time"),
    ("his-watch", 6, "a server that does not answer is what it is there to tell"),
    ("his-watch", 7, "it takes no lock that a run holds"),
    ("his-incident", 6, "it needs no server; what a report lacks of the primary it says, and needs a person (3)"),
    ("his-drill", 6, "its servers are its own; a live primary that does not answer leaves the proof undone (3)"),
];

const CASES: &[Case] = &[
    case("his-snapshot", 4, "there is no snapshot to verify", "take one: his-snapshot.", |h, check| {
        check.ends(h, &["verify"]);
    }),
    case("his-load-standby", 4, "there is no snapshot to load", "take one: his-snapshot.", |h, check| {
        check.ends(h, &[]);
    }),
    case(
        "his-snapshot",
        2,
        "the profile names a table that is not there",
        "mend these lines of the profile",
        |h, check| {
            let sound = fs::read_to_string(h.work.config()).unwrap();
            fs::write(h.work.config(), sound.replace("op.charge\"", "op.charges\"")).unwrap();
            check.ends(h, &[]);
            fs::write(h.work.config(), sound).unwrap();
        },
    ),
    case("his-snapshot", 6, "the primary is down", "check that the server runs", |h, check| {
        down(h, "primary", |h| check.ends(h, &[]));
    }),
    case("his-snapshot", 7, "another one is running", "wait for that run to end", |h, check| {
        let _lock = held(h, "snapshot");
        check.ends(h, &[]);
    }),
    case("his-snapshot", 0, "the primary is downloaded", "", |h, check| check.ends(h, &[])),
    case(
        "his-snapshot",
        5,
        "a byte of a snapshot has changed",
        "take a new snapshot, or put the offline copy",
        |h, check| {
            let _sound = damaged(&newest(h).join("schema.dump"));
            check.ends(h, &["verify"]);
        },
    ),
    case("his-snapshot", 1, "the medium of the offline copy is not there", "is the medium mounted?", |h, check| {
        check.ends(h, &["copy", "--to", "not mounted"]);
    }),
    case("his-import-paper", 2, "a file has no headers", "the first line must hold the headers", |h, check| {
        slips(h, "1,2\n");
        check.ends(h, &["check", "slips.csv"]);
    }),
    case("his-import-paper", 4, "a number was never handed out", "numbers issue hands new ones out", |h, check| {
        slips(h, "");
        check.ends(h, &["forms", "charge", "S01-000001-97", "--output", "out.html"]);
    }),
    case("his-import-paper", 0, "numbers are handed out", "", |h, check| {
        slips(h, "");
        check.ends(h, &["numbers", "issue", "charge", "--count", "2", "--to", "W01"]);
    }),
    case("his-import-paper", 3, "a slip has a number that nobody has", "", |h, check| {
        slips(h, "单号,开单时间,合计\nS01-000003-91,2026-11-22 8:00,5\n");
        check.ends(h, &["import", "slips.csv"]);
    }),
    case("his-import-paper", 5, "the register of numbers was changed", "restore it from a copy", |h, check| {
        slips(h, "");
        let _sound = damaged(&h.work.store().join("paper/numbers.jsonl"));
        check.ends(h, &["status"]);
    }),
    case("his-import-paper", 6, "the primary is down", "check that the server runs", |h, check| {
        down(h, "primary", |h| {
            slips(h, "单号,开单时间,合计\nS01-000001-97,2026-11-22 8:00,5\n");
            check.ends(h, &["import", "slips.csv"]);
        });
    }),
    case("his-import-paper", 7, "somebody else hands numbers out", "wait for that run to end", |h, check| {
        slips(h, "");
        let _lock = held(h, "register");
        check.ends(h, &["numbers", "issue", "charge", "--count", "2", "--to", "W01"]);
    }),
    case("his-import-paper", 1, "the state cannot be read", "mend the cause named above", |h, check| {
        slips(h, "单号,开单时间,合计\nS01-000001-97,2026-11-22 8:00,5\n");
        let _sound = unreadable(h);
        check.ends(h, &["import", "slips.csv"]);
    }),
    case("his-desk", 2, "there is no secret", "a secret is never an argument", |h, check| {
        desk(h);
        check.ends(h, &["--staff", "S1", "--window", "W1", "standing"]);
    }),
    case("his-desk", 0, "the window says where it stands", "", |h, check| {
        check.ends(h, &["--staff", "S1", "--window", "W1", "--secret-file", "secret", "standing"]);
    }),
    case("his-desk", 3, "a line of the script is refused", "", |h, check| {
        fs::write(h.work.path().join("acts"), "{\"act\":\"charge\"}\n").unwrap();
        check.ends(h, &["--staff", "S1", "--window", "W1", "--secret-file", "secret", "script", "acts"]);
    }),
    case("his-desk", 4, "the contract refuses it", "nothing was changed", |h, check| {
        check.ends(h, &["--staff", "S1", "--window", "W1", "--secret-file", "secret", "charge", "--registration", "1"]);
    }),
    case("his-desk", 1, "the printer fails", "the charge is good and waits", |h, check| {
        check.ends(
            h,
            &["--staff", "S1", "--window", "W1", "--secret-file", "secret", "print", "1", "--to", "/nowhere/v"],
        );
    }),
    case("his-desk", 6, "no database answers", "look whether the network cable is in", |h, check| {
        h.work.set("desk", "url", "\"host=/nowhere user=postgres dbname=his\"");
        check.ends(h, &["--staff", "S1", "--window", "W1", "--secret-file", "secret", "standing"]);
        h.work.edit(|p| {
            p.unset("desk", "url").unset("desk", "patience");
        });
        h.primary.execute(DB, "DROP SCHEMA desk CASCADE");
    }),
    case("his-load-standby", 0, "the standby is there already", "", |h, check| check.ends(h, &["init"])),
    case("his-load-standby", 2, "the store has no such snapshot", "his-snapshot list", |h, check| {
        check.ends(h, &["20200101T000000000Z"]);
    }),
    case("his-load-standby", 5, "a byte of the snapshot has changed", "take another copy", |h, check| {
        let _sound = damaged(&newest(h).join("schema.dump"));
        check.ends(h, &[]);
    }),
    case("his-load-standby", 6, "the standby is down", "check that the server runs", |h, check| {
        down(h, "standby", |h| check.ends(h, &[]));
    }),
    case("his-load-standby", 7, "another one is running", "wait for that run to end", |h, check| {
        let _lock = held(h, "load");
        check.ends(h, &[]);
    }),
    case("his-load-standby", 1, "the state cannot be read", "mend the cause named above", |h, check| {
        let _sound = unreadable(h);
        check.ends(h, &[]);
    }),
    case("his-load-standby", 3, "a window could not log in", "", |h, check| {
        h.load();
        h.standby.execute("postgres", "ALTER ROLE his_app NOLOGIN");
        check.ends(h, &["check"]);
        h.standby.execute("postgres", "ALTER ROLE his_app LOGIN");
    }),
    case("his-watch", 3, "there is no plan, and much else", "", |h, check| check.ends(h, &[])),
    case("his-watch", 4, "the standby is down", "start its server", |h, check| {
        down(h, "standby", |h| {
            let ran = h.work.run("his-watch", &[]).expect(4).says("-> start its server");
            assert!(ran.stdout.starts_with("NOT READY"));
        });
        let _ = check;
    }),
    case("his-watch", 2, "the metrics have no file", "see his-watch --help", |h, check| {
        check.ends(h, &["--prometheus"]);
    }),
    case("his-watch", 1, "the metrics cannot be written", "mend the cause named above", |h, check| {
        check.ends(h, &["--prometheus", "/nowhere/his.prom"]);
    }),
    case("his-watch", 5, "the state is damaged", "restore it from a copy", |h, check| {
        let _sound = garbled(&h.work.store().join("state.json"));
        check.ends(h, &[]);
    }),
    case("his-watch", 0, "the hospital lives with what is not well", "", |h, check| {
        let json = h.work.program("his-watch", &["--json"]).run().json();
        let checks = json["checks"].as_array().unwrap().iter().filter(|c| c["state"] != "ok");
        let names: Vec<String> = checks.map(|c| c["check"].to_string()).collect();
        h.work.set("watch", "accept", &format!("[{}]", names.join(", ")));
        check.ends(h, &[]);
    }),
    case("his-incident", 2, "the profile names no plan", "samples/plan/plan.toml", |h, check| {
        check.ends(h, &["status"]);
        let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/plan/plan.toml");
        h.work.set("plan", "file", &format!("\"{}\"", plan.display()));
    }),
    case("his-incident", 0, "nothing is on", "", |h, check| check.ends(h, &["status"])),
    case("his-incident", 4, "no incident is on", "his-incident start", |h, check| check.ends(h, &["note", "x"])),
    case("his-incident", 3, "the plan is ended with tasks open", "", |h, check| {
        h.work.run("his-incident", &["start", "--cause", "fire"]).expect(0);
        check.ends(h, &["end", "--why", "out"]);
        h.work.run("his-incident", &["start", "--cause", "server"]).expect(0);
    }),
    case("his-incident", 5, "the log was changed", "restore it from a copy", |h, check| {
        let _sound = damaged(&h.work.store().join("incidents.jsonl"));
        check.ends(h, &["status"]);
    }),
    case("his-incident", 1, "the state cannot be read", "mend the cause named above", |h, check| {
        let _sound = unreadable(h);
        check.ends(h, &["status"]);
    }),
    case("his-drill", 4, "no drill is on", "his-drill begin", |h, check| check.ends(h, &["strike"])),
    case("his-drill", 2, "there was no such drill", "his-drill history", |h, check| check.ends(h, &["show", "01-D99"])),
    case("his-drill", 7, "another one is on", "wait for that run to end", |h, check| {
        let _lock = held(h, "drill");
        check.ends(h, &["run"]);
    }),
    case("his-drill", 1, "its place cannot be made", "mend the cause named above", |h, check| {
        h.work.set("drill", "place", "\"/dev/null\"");
        check.ends(h, &["run"]);
        h.work.edit(|p| {
            p.unset("drill", "place");
        });
    }),
    case("his-drill", 3, "no window did anything in it", "", |h, check| {
        h.work.set("drill", "seconds", "1");
        check.ends(h, &["run"]);
    }),
    case("his-drill", 0, "the drills are listed", "", |h, check| check.ends(h, &["history"])),
    case("his-drill", 5, "what is known of a drill is damaged", "take another copy", |h, check| {
        let drills = fs::read_dir(h.work.store().join("exercises")).unwrap();
        let _sound = garbled(&drills.map(|d| d.unwrap().path()).max().unwrap().join("drill.json"));
        check.ends(h, &["history"]);
    }),
    case("his-switch", 0, "it is asked how everything stands", "", |h, check| check.ends(h, &["status"])),
    case("his-switch", 2, "no reason is given", "his-switch standby --reason TEXT", |h, check| {
        check.ends(h, &["standby"]);
    }),
    case("his-switch", 4, "the windows are on the primary already", "his-switch status", |h, check| {
        check.ends(h, &["primary"]);
    }),
    case("his-switch", 6, "the standby is down", "his-switch paper", |h, check| {
        down(h, "standby", |h| check.ends(h, &["standby", "--reason", "x"]));
    }),
    case("his-switch", 7, "somebody else is moving the windows", "talk to them", |h, check| {
        let _lock = held(h, "switch");
        check.ends(h, &["standby", "--reason", "x"]);
    }),
    case("his-switch", 1, "the workload of a drill fails", "nothing half-done is left", |h, check| {
        fs::write(h.work.path().join("work.sql"), "SELECT 1/0;").unwrap();
        check.ends(h, &["drill", "--workload", "work.sql"]);
    }),
    case("his-switch", 3, "the standby is open, and a hook has failed", "", |h, check| {
        h.work.set("endpoint", "hooks", "[\"/bin/false\"]");
        check.ends(h, &["standby", "--reason", "x"]);
        h.work.set("endpoint", "hooks", "[]");
        assert_eq!(h.side(), "standby");
    }),
    case("his-export-queue", 2, "the store has no such event", "his-export-queue list", |h, check| {
        check.ends(h, &["verify", "01-0099"]);
    }),
    case("his-export-queue", 4, "the closing record is wanted of an open standby", "his-switch primary", |h, check| {
        check.ends(h, &["--final"]);
    }),
    case("his-export-queue", 6, "the standby is down", "check that the server runs", |h, check| {
        down(h, "standby", |h| check.ends(h, &[]));
    }),
    case("his-export-queue", 7, "another one is running", "wait for that run to end", |h, check| {
        let _lock = held(h, "export");
        check.ends(h, &[]);
    }),
    case("his-export-queue", 1, "the state cannot be read", "mend the cause named above", |h, check| {
        let _sound = unreadable(h);
        check.ends(h, &[]);
    }),
    case("his-export-queue", 0, "what the windows did is exported", "", |h, check| check.ends(h, &[])),
    case("his-export-queue", 5, "a byte of a batch has changed", "take the batch from the mirror", |h, check| {
        let _sound = damaged(&batch(h).join("units.csv"));
        check.ends(h, &["verify"]);
    }),
    case("his-merge", 2, "there is no such batch", "his-export-queue list", |h, check| {
        check.ends(h, &["--early", "nowhere"]);
    }),
    case("his-merge", 4, "the windows are not back yet", "use --early", |h, check| check.ends(h, &[])),
    case("his-merge", 5, "a byte of a batch has changed", "take another copy", |h, check| {
        let _sound = damaged(&batch(h).join("units.csv"));
        check.ends(h, &["--early"]);
    }),
    case("his-merge", 6, "the primary is down", "check that the server runs", |h, check| {
        down(h, "primary", |h| check.ends(h, &["--early"]));
    }),
    case("his-merge", 7, "another one is running", "wait for that run to end", |h, check| {
        let _lock = held(h, "merge");
        check.ends(h, &["--early"]);
    }),
    case("his-merge", 1, "the state cannot be read", "mend the cause named above", |h, check| {
        let _sound = unreadable(h);
        check.ends(h, &["--early"]);
    }),
    case("his-merge", 0, "all units are merged", "", |h, check| check.ends(h, &["--early"])),
    case("his-merge", 3, "a unit is held", "", |h, check| {
        h.standby.execute(DB, "UPDATE op.charge SET who = 'standby' WHERE id = 1");
        h.primary.execute(DB, "UPDATE op.charge SET who = 'primary' WHERE id = 1");
        h.work.run("his-export-queue", &[]).expect(0);
        check.ends(h, &["--early"]);
    }),
    case("his-switch", 5, "a batch that is to be merged is damaged", "take another copy", |h, check| {
        let _sound = damaged(&batch(h).join("units.csv"));
        check.ends(h, &["primary"]);
        assert_eq!(h.side(), "standby", "the windows stay");
    }),
    case(
        "his-incident",
        7,
        "a merge is running while the report reconciles",
        "wait for that run to end",
        |h, check| {
            let _lock = held(h, "merge");
            check.ends(h, &["report", "--to", "report"]);
        },
    ),
];

/// How a case must end.
struct Check<'a>(&'a Case);

impl Check<'_> {
    /// Runs the program of the case with these arguments. What gave another code than 0 and 3 has changed nothing, so it
    /// gives the same again with `--json`.
    #[track_caller]
    fn ends(&self, h: &Hospital, args: &[&str]) {
        let Case { program, code, when, hint, .. } = self.0;
        let run = |more: &[&str]| h.work.program(program, args).args(more).run();
        let ran = run(&[]);
        assert_eq!(ran.code, *code, "{program}, when {when}: {}\n{}", ran.what, ran.shown());
        if [0, 3].contains(code) {
            return;
        }
        assert!(!hint.is_empty() && said(&ran).contains(hint), "{program}, when {when}\n{}", ran.shown());
        let ran = run(&["--json"]);
        assert_eq!(ran.code, *code, "{program} --json, when {when}: {}\n{}", ran.what, ran.shown());
        let object = ran.json();
        // A result that names what is damaged is no error, and has its own keys.
        if object.get("error").is_some() {
            let keys: Vec<&String> = object.as_object().expect("an object").keys().collect();
            assert_eq!(keys, ["error", "hint", "exit"], "{}", ran.shown());
            assert_eq!(object["exit"], *code, "{}", ran.shown());
            assert!(object["hint"].as_str().is_some_and(|h| h.contains(hint)), "{}", ran.shown());
        }
    }
}

/// What stands behind `HINT:`, wherever it was printed.
fn said(ran: &Ran) -> &str {
    let lines = || ran.stderr.lines().chain(ran.stdout.lines());
    lines().find_map(|line| line.trim().strip_prefix("HINT: ")).unwrap_or_default()
}

/// One of the two servers does not answer while this is done.
fn down(h: &mut Hospital, side: &str, act: impl FnOnce(&mut Hospital)) {
    let url = if side == "primary" { h.primary.url(DB) } else { h.standby.url(DB) };
    h.work.set(side, "url", "\"postgresql://postgres@/his?host=/nowhere\"");
    act(h);
    h.work.set(side, "url", &format!("\"{url}\""));
}

/// The profile has a kind of slips, and somebody has keyed this file of them.
fn slips(h: &Hospital, keyed: &str) {
    let profile = fs::read_to_string(h.work.config()).unwrap();
    if !profile.contains("[[slip]]") {
        let slip = "[[slip]]\nkind = \"charge\"\nprefix = \"S\"\ntitle = { zh = \"收费\", en = \"Charge\" }\nsql = \"slip.sql\"\n[[slip.column]]\nfield = \"total\"\nheader = { zh = \"合计\", en = \"Total\" }\ntype = \"money\"\n";
        fs::write(h.work.config(), format!("{profile}{slip}")).unwrap();
    }
    fs::write(h.work.path().join("slip.sql"), "INSERT INTO op.charge (patient_id, total) VALUES (1, :total)").unwrap();
    fs::write(h.work.path().join("slips.csv"), keyed).unwrap();
}

/// The HIS has a contract of a few acts for his-desk, and somebody may log in.
fn desk(h: &mut Hospital) {
    h.primary.execute(
        DB,
        "CREATE SCHEMA desk;
         CREATE FUNCTION desk.login(ask jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('session', 'x') $$;
         CREATE FUNCTION desk.charge(ask jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '没有要收费的项目 | nothing to charge' USING ERRCODE = 'HD409'; END $$;
         CREATE FUNCTION desk.receipt(ask jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('number', 'N1', 'paid', '1.00') $$;",
    );
    let url = h.primary.url(DB);
    h.work.set("desk", "url", &format!("\"{url}\""));
    h.work.set("desk", "patience", "\"1s\"");
    fs::write(h.work.path().join("secret"), "secret\n").unwrap();
}

/// A lock that somebody holds as long as this lives.
pub fn held(h: &Hospital, kind: &str) -> File {
    let path = h.work.store().join(format!("locks/{kind}.lock"));
    let lock = OpenOptions::new().create(true).truncate(true).write(true).open(&path).unwrap();
    lock.lock().unwrap();
    let holder = r#"{"program":"somebody","pid":1,"host":"elsewhere","by":"anna","since":"2020-01-01T01:02:03Z"}"#;
    fs::write(path, holder).unwrap();
    lock
}

/// A file that is as it was when this is dropped.
struct Sound {
    path: PathBuf,
    bytes: Option<Vec<u8>>,
}

impl Drop for Sound {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
        if let Some(bytes) = &self.bytes {
            fs::write(&self.path, bytes).expect("it can be put back");
        }
    }
}

/// One bit in the middle of the file is another one.
fn damaged(path: &Path) -> Sound {
    let bytes = fs::read(path).unwrap();
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    fs::write(path, changed).unwrap();
    Sound { path: path.to_owned(), bytes: Some(bytes) }
}

/// Something else stands in the file.
fn garbled(path: &Path) -> Sound {
    let bytes = fs::read(path).unwrap();
    fs::write(path, "{").unwrap();
    Sound { path: path.to_owned(), bytes: Some(bytes) }
}

/// A directory in the place of the state: nobody, not even root, can read it as a file.
fn unreadable(h: &Hospital) -> Sound {
    let path = h.work.store().join("state.json");
    let bytes = fs::read(&path).ok();
    if bytes.is_some() {
        fs::remove_file(&path).unwrap();
    }
    fs::create_dir(&path).unwrap();
    Sound { path, bytes }
}

/// The newest snapshot's directory.
fn newest(h: &Hospital) -> PathBuf {
    let mut all: Vec<PathBuf> =
        fs::read_dir(h.work.store().join("snapshots")).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all.pop().expect("a snapshot")
}

/// The first batch of the day.
fn batch(h: &Hospital) -> PathBuf {
    h.work.store().join("queue/01-0001/000001")
}

#[test]
fn every_exit_code_of_every_program_is_in_the_table_once_or_cannot_be() {
    let listed: Vec<(&str, i32)> = CASES
        .iter()
        .map(|c| (c.program, c.code))
        .chain(NEVER.iter().map(|(program, code, _)| (*program, *code)))
        .collect();
    let once: BTreeSet<(&str, i32)> = listed.iter().copied().collect();
    let all: BTreeSet<(&str, i32)> = PROGRAMS.iter().flat_map(|p| CODES.map(|code| (*p, code))).collect();
    assert_eq!(once, all);
    assert_eq!(listed.len(), all.len(), "one of them is listed twice");
    assert!(NEVER.iter().all(|(_, _, why)| !why.is_empty()));
    assert!(CASES.iter().all(|c| c.hint.is_empty() == [0, 3].contains(&c.code)));
}

#[test]
fn of_several_exit_codes_that_apply_the_contract_says_which_is_given() {
    let hospital = Hospital::new();
    let ends = |program: &str, args: &[&str], code: i32| {
        let ran = hospital.work.run(program, args);
        assert_eq!(ran.code, code, "{program} {args:?}: {}", ran.shown());
    };
    let (switch, load) = (held(&hospital, "switch"), held(&hospital, "load"));
    // 2 before 7: a command that cannot be meant is told so whoever is at work.
    ends("his-switch", &["standby"], 2);
    ends("his-load-standby", &["20200101T000000000Z"], 2);
    // 7 before 4.
    ends("his-switch", &["primary"], 7);
    ends("his-load-standby", &["rollback"], 7);
    drop((switch, load));
    // 2 before 4.
    hospital.open();
    ends("his-switch", &["drill", "--workload", "/nowhere"], 2);
    ends("his-switch", &["drill"], 4);
}

#[test]
fn every_exit_code_is_given_with_its_hint() {
    let mut hospital = Hospital::without_generation();
    for case in CASES {
        (case.act)(&mut hospital, &Check(case));
    }
    // The day ends as it should, whatever was refused on the way.
    hospital.work.run("his-switch", &["primary"]).expect(3);
    assert_eq!(hospital.side(), "primary");
}

//! The reference HIS on a primary, the whole chain around it, and desks at its windows.

use crate::support::workplace::{DB, Profile};
use crate::support::{Cluster, Program, Workplace, copy_sample_reports, standby_first};
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/his")
}

pub struct Hospital {
    pub primary: Cluster,
    pub standby: Cluster,
    pub work: Workplace,
}

impl Hospital {
    /// A morning on the primary with so many patients and visits, `more` done to it afterwards.
    pub fn new(patients: u32, visits: u32, more: &str) -> Hospital {
        let (primary, standby) = Cluster::pair();
        primary.create_database(DB);
        for file in ["schema.sql", "roles.sql"] {
            primary.psql_file(DB, &samples().join(file)).expect(0);
        }
        let generate = samples().join("generate.sql");
        primary.psql(DB, &format!("\\set patients {patients}\n\\set visits {visits}\n\\i {}\n", generate.display()));
        let sample = std::fs::read_to_string(samples().join("his.toml")).expect("the sample's profile");
        Hospital::with(primary, standby, more, &sample[sample.find("[[table]]").expect("tables")..], "his_app")
    }

    /// A primary with a HIS and its desk on it.
    pub fn with(primary: Cluster, standby: Cluster, more: &str, tables: &str, window_role: &str) -> Hospital {
        if !more.is_empty() {
            primary.execute(DB, more);
        }
        let mut profile = Profile::new(&primary, &standby);
        profile.tables(tables);
        profile.set("standby", "window_roles", &format!("[\"{window_role}\"]"));
        // A crowded machine is not what these tests are about.
        profile.set("desk", "patience", "\"5m\"");
        profile.set("desk", "url", &format!("\"{}\"", standby_first(&standby, &primary, window_role, DB)));
        let work = Workplace::with(profile);
        copy_sample_reports(work.path());
        work.run("his-load-standby", &["init"]).expect(0);
        Hospital { primary, standby, work }
    }

    /// Downloads, loads, and switches the windows to the standby.
    pub fn to_standby(&self) {
        self.work.run("his-snapshot", &[]).expect(0);
        self.work.run("his-load-standby", &[]).expect(0);
        self.work.run("his-switch", &["standby", "--reason", "test", "--ordered-by", "test"]).expect(0);
    }

    /// Merges, and brings the windows back.
    pub fn to_primary(&self, code: i32) {
        self.work.run("his-switch", &["primary"]).expect(code);
    }

    /// `his-desk` as a cashier at a window, about to be run.
    pub fn desk(&self, staff: &str, window: &str, args: &[&str]) -> Program {
        self.work
            .program("his-desk", args)
            .env("HIS_DESK_STAFF", staff)
            .env("HIS_DESK_WINDOW", window)
            .env("HIS_DESK_SECRET", format!("demo-{staff}"))
            .env("HIS_DESK_APPROVER_SECRET", "demo-S02301")
    }

    /// Runs it with `--json` to this exit code.
    #[track_caller]
    pub fn desk_json(&self, staff: &str, window: &str, code: i32, args: &[&str]) -> Value {
        self.desk(staff, window, args).args(["--json"]).run().expect(code).json()
    }

    /// A window that goes on through a script.
    pub fn scripted(&self, staff: &str, window: &str) -> Desk {
        let mut child = Command::new(Program::path("his-desk"))
            .args(["script", "--staff", staff, "--window", window])
            .env_clear()
            .env("HIS_CONFIG", self.work.config())
            .env("HIS_DESK_SECRET", format!("demo-{staff}"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(self.work.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("his-desk starts");
        let (input, output) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        Desk { child, input, output: output.expect("it is piped") }
    }
}

/// What a second person signs.
pub fn approved(mut ask: Value) -> Value {
    ask["approver"] = json!("S02301");
    ask["approver_secret"] = json!("demo-S02301");
    ask
}

/// A scripted window: asks go in and answers come out, a line each.
pub struct Desk {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Desk {
    /// Asks, and gives the answer or why it was refused.
    pub fn ask(&mut self, act: &str, ask: &Value) -> Result<Value, String> {
        let mut ask: Map<String, Value> = ask.as_object().cloned().expect("an object");
        ask.insert("act".to_owned(), json!(act));
        let input = self.input.as_mut().expect("it is open");
        writeln!(input, "{}", Value::Object(ask.clone())).and_then(|()| input.flush()).expect("his-desk reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("his-desk answers");
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|e| {
            let mut said = String::new();
            let _ = self.child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut said));
            panic!("'{line}' to {ask:?}: {e}\n{said}")
        });
        if answer["ok"] == true { Ok(answer["answer"].clone()) } else { Err(answer["error"].to_string()) }
    }

    /// Asks for something that must not be refused.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // asks are written where they are made
    pub fn must(&mut self, act: &str, ask: Value) -> Value {
        self.ask(act, &ask).unwrap_or_else(|e| panic!("{act} {ask}: {e}"))
    }

    /// A doctor who has a number left today: what `register` wants as `schedule`.
    pub fn free_schedule(&mut self) -> Value {
        let doctors = self.must("list_schedules", json!({}))["schedules"].clone();
        let free = doctors.as_array().expect("a list").iter().find(|s| s["left"].as_i64() > Some(0));
        free.expect("a number is left")["schedule"].clone()
    }

    /// Ends it, and gives its last word.
    pub fn end(mut self) -> Value {
        drop(self.input.take());
        let mut last = String::new();
        self.output.read_line(&mut last).expect("his-desk ends");
        self.child.wait().expect("his-desk ends");
        serde_json::from_str(&last).unwrap_or_else(|e| panic!("'{last}': {e}"))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! P17: the whole chain with planted passwords, names and ID-card numbers: none is in what a program prints, in a log, in JSON,
//! in a process list, or in a file of the store that is no data.

use his_emergency::db::Client;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::roles::with_roles;
use crate::support::workplace::DB;
use crate::support::{Cluster, Ran, Workplace, server};
use crate::switch::TABLES;

/// Passwords, in PGPASSFILE; and what is personal in the tables.
const SECRETS: [&str; 10] = [
    "pw-upload-7351",
    "pw-download-7352",
    "pw-loader-7353",
    "pw-window-7354",
    "欧阳娜娜",
    "司徒静",
    "诸葛不亮",
    "11010119900307793X",
    "310101198512120018",
    "13800138000",
];

const SCHEMA: &str = "
CREATE SCHEMA op;
CREATE TABLE op.patient (id bigserial PRIMARY KEY, name text NOT NULL CHECK (name <> ''), id_no text UNIQUE, phone text);
CREATE TABLE op.charge (id bigserial PRIMARY KEY, patient_id bigint NOT NULL REFERENCES op.patient, total numeric(12,4) NOT NULL CHECK (total < 1000));
INSERT INTO op.patient (name, id_no, phone) VALUES ('欧阳娜娜', '11010119900307793X', '13800138000'), ('司徒静', '310101198512120018', NULL);
GRANT USAGE ON SCHEMA op TO his_app; GRANT ALL ON ALL TABLES IN SCHEMA op TO his_app; GRANT ALL ON ALL SEQUENCES IN SCHEMA op TO his_app;";

const PERSONAL: &str = r#"
[[table]]
name = "op.patient"
capture = true
personal = ["name", "id_no", "phone"]
[[numbers]]
sequence = "op.patient_id_seq"
block = [900000, 999999]
"#;

/// Whoever is not the superuser of the tests shows a password.
fn want_passwords(side: &Cluster) {
    let path = side.data().join("pg_hba.conf");
    fs::write(&path, "local all postgres trust\nlocal all all scram-sha-256\n").expect("ours");
    server::hand_over(&path);
    side.execute("postgres", "SELECT pg_reload_conf()");
}

/// Looks at the arguments of all processes until it is told to end; gives those with a secret in them.
fn look_at_processes(end: Arc<AtomicBool>) -> thread::JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let mut found = Vec::new();
        while !end.load(Ordering::Relaxed) {
            for process in fs::read_dir("/proc").expect("/proc").flatten() {
                let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                if line.contains("his-") && SECRETS.iter().any(|s| line.contains(s)) {
                    found.push(line);
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
        found
    })
}

struct Said(Mutex<Vec<Ran>>);

impl Said {
    fn keep(&self, ran: Ran) -> Ran {
        self.0.lock().expect("ours").push(ran.clone());
        ran
    }
}

/// Two servers that want passwords, a profile without them, and the file that has them.
fn hospital() -> (Cluster, Cluster, Workplace, PathBuf) {
    let (primary, standby) = Cluster::pair();
    primary.execute("postgres", "CREATE ROLE his_app LOGIN PASSWORD 'pw-window-7354'");
    primary.create_database(DB);
    primary.execute(DB, SCHEMA);
    let mut profile = with_roles(&primary, &standby, "op.patient,op.charge");
    primary.execute(
        "postgres",
        "ALTER ROLE his_upload PASSWORD 'pw-upload-7351'; ALTER ROLE his_download PASSWORD 'pw-download-7352'",
    );
    standby.execute("postgres", "ALTER ROLE his_loader PASSWORD 'pw-loader-7353'");
    want_passwords(&primary);
    want_passwords(&standby);
    profile.tables(&format!("{PERSONAL}{TABLES}")).set("store", "mirror", "\"mirror\"");
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/plan/plan.toml");
    profile.set("plan", "file", &format!("{:?}", plan.display().to_string()));
    let work = Workplace::with(profile);
    let pass = work.path().join("pgpass");
    let lines: Vec<String> = ["upload-7351", "download-7352", "loader-7353", "window-7354"]
        .iter()
        .zip(["his_upload", "his_download", "his_loader", "his_app"])
        .map(|(secret, role)| format!("*:*:*:{role}:pw-{secret}\n"))
        .collect();
    fs::write(&pass, lines.concat()).expect("ours");
    fs::set_permissions(&pass, fs::Permissions::from_mode(0o600)).expect("ours");
    (primary, standby, work, pass)
}

#[test]
fn p17_no_password_name_or_id_number_is_printed_logged_or_listed_by_any_program_of_the_whole_chain() {
    let (primary, standby, work, pass) = hospital();
    let said = Said(Mutex::new(Vec::new()));
    let run = |code: i32, name: &str, args: &[&str]| {
        // Once as people see it, with everything that can be logged, and once as JSON where that changes nothing more.
        said.keep(work.program(name, args).env("PGPASSFILE", &pass).args(["-vvv"]).run()).expect(code);
    };
    let json = |code: i32, name: &str, args: &[&str]| {
        let ran = work.program(name, args).env("PGPASSFILE", &pass).args(["--json", "-vvv"]).run();
        said.keep(ran).expect(code).json()
    };
    let end = Arc::new(AtomicBool::new(false));
    let processes = look_at_processes(end.clone());

    run(0, "his-load-standby", &["init"]);
    // The role that uploads is no superuser: the verifier of the windows' password is not its to read, and the DBA sets it.
    assert_eq!(json(0, "his-load-standby", &["init"])["passwords_missing"], serde_json::json!(["his_app"]));
    standby.execute("postgres", "ALTER ROLE his_app PASSWORD 'pw-window-7354'");
    run(0, "his-snapshot", &["check"]);
    json(0, "his-snapshot", &[]);
    json(0, "his-load-standby", &[]);
    run(0, "his-load-standby", &["check"]);
    run(0, "his-incident", &["start", "--cause", "server"]);
    run(0, "his-switch", &["standby", "--reason", "test"]);
    let window = |sql: &str| {
        let url = standby.url_as("his_app", DB).replacen("his_app@", "his_app:pw-window-7354@", 1);
        Client::plain(&url).expect("a window").batch_execute(sql).expect("it works");
    };
    window("INSERT INTO op.patient (name, id_no) VALUES ('诸葛不亮', 'X1')");
    window("INSERT INTO op.charge (patient_id, total) VALUES (900000, 12)");
    window("UPDATE op.patient SET name = '诸葛不亮' WHERE id = 1");
    window("INSERT INTO op.patient (name, id_no) VALUES ('司徒静', 'X2')");
    // A unique value that is taken, a row that both changed, and a rule of the primary that refuses.
    primary.execute(DB, "UPDATE op.patient SET name = '司徒静' WHERE id = 1; INSERT INTO op.patient (id, name, id_no) VALUES (50, '欧阳娜娜', 'X1'); ALTER TABLE op.patient ADD CONSTRAINT no_such CHECK (id_no <> 'X2')");
    run(0, "his-export-queue", &[]);
    json(0, "his-merge", &["--early", "--dry-run"]);
    run(3, "his-merge", &["--early"]);
    run(3, "his-switch", &["primary"]);
    let found = json(0, "his-merge", &["conflicts"]);
    run(0, "his-merge", &["conflicts"]);
    let found = found["conflicts"].as_array().expect("a list");
    assert!(found.len() >= 3, "{found:#?}");
    for conflict in found {
        let id = conflict["id"].to_string();
        run(0, "his-merge", &["conflicts", &id]);
        json(0, "his-merge", &["conflicts", &id]);
    }
    let changed = found.iter().find(|c| c["kind"] == "changed").expect("one is")["id"].to_string();
    run(0, "his-merge", &["resolve", &changed, "--take", "standby", "--why", "asked"]);
    run(0, "his-merge", &["reconcile"]);
    json(0, "his-merge", &["reconcile"]);
    json(0, "his-switch", &["status"]);
    run(0, "his-merge", &["status"]);
    for args in [&[][..], &["--nagios"]] {
        said.keep(work.program("his-watch", args).env("PGPASSFILE", &pass).run());
    }
    run(3, "his-incident", &["report", "--to", "report"]);
    // A password that is wrong, a server that is gone.
    fs::write(&pass, "*:*:*:*:pw-upload-7351-wrong\n").expect("ours");
    run(6, "his-snapshot", &[]);
    primary.stop_fast();
    run(6, "his-merge", &[]);
    end.store(true, Ordering::Relaxed);

    assert_eq!(processes.join().expect("it looks on"), [""; 0]);
    let said = said.0.into_inner().expect("ours");
    assert!(said.len() > 25);
    for ran in &said {
        for secret in SECRETS {
            assert!(
                !ran.stdout.contains(secret) && !ran.stderr.contains(secret),
                "{secret}: {}\n{}",
                ran.what,
                ran.shown()
            );
        }
    }
    let mut looked_at = 0;
    let folders = ["store", "mirror", "report"].map(|folder| work.path().join(folder));
    for file in folders.iter().flat_map(|folder| files(folder)) {
        // The data itself is what is kept here, and nowhere else.
        let place = file.strip_prefix(work.path()).expect("below it").to_string_lossy().into_owned();
        if place.contains(".csv") && (place.contains("/queue/") || place.contains("/snapshots/")) {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&file).expect("ours")).into_owned();
        looked_at += 1;
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} is in {}", file.display());
        }
    }
    assert!(looked_at > 10, "{looked_at}");
}

/// Every file below a folder; files and folders are their owner's only.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("ours").flatten() {
            let path = entry.path();
            let mode = fs::metadata(&path).expect("there").permissions().mode() & 0o777;
            assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

//! What stands beside the two servers: certificates, a replica, the print pack, rolls of receipts, restore tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::{look, states, text, turned, well};
use crate::paper::reference::Clinic;
use crate::support::server;
use crate::support::workplace::DB;
use crate::support::{Cluster, Mode, Place, Program, Proxy, Replica, wait_until};

/// An address of the loopback that is this process's own, because the servers of all tests have the same port.
pub fn address() -> String {
    let process = std::process::id();
    format!("127.9.{}.{}", process / 254 % 254 + 1, process % 254 + 1)
}

/// Makes a certificate for our address that ends after so many days, signed by the authority in the same folder.
pub fn certify(folder: &Path, days: &str, today: Option<&str>) {
    let openssl = |args: &str| {
        let mut words: Vec<&str> = args.split(' ').collect();
        // An expired certificate is one that was made in the past.
        let program = match today {
            Some(then) if args.starts_with("x509") => {
                words.splice(0..0, ["-f", then, "openssl"]);
                "/usr/bin/faketime"
            }
            _ => "/usr/bin/openssl",
        };
        Program::at(Path::new(program)).args(words).dir(folder).run().expect(0);
    };
    if !folder.join("ca.crt").exists() {
        fs::write(folder.join("san"), format!("subjectAltName=IP:{}\n", address())).unwrap();
        openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 3650 -subj /CN=test-ca");
        openssl("req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=his-db");
    }
    openssl(&format!(
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days {days} -extfile san -out server.crt"
    ));
}

/// Gives the server this certificate, and has it read it.
pub fn put(cluster: &Cluster, folder: &Path) {
    for file in ["server.crt", "server.key"] {
        let to = cluster.data().join(file);
        fs::copy(folder.join(file), &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        server::hand_over(&to);
    }
    cluster.execute("postgres", "SELECT pg_reload_conf()");
}

#[test]
fn a_certificate_is_told_of_before_it_expires_and_after() {
    let mut hospital = well();
    let folder = Place::new("tls");
    certify(folder.path(), "400", None);
    put(&hospital.primary, folder.path());
    // A server speaks TLS on TCP only.
    hospital.primary.execute("postgres", &format!("ALTER SYSTEM SET listen_addresses = '{}'", address()));
    hospital.primary.execute("postgres", "ALTER SYSTEM SET ssl = on");
    hospital.primary.stop_fast();
    hospital.primary.start_again();
    let (host, port) = (address(), hospital.primary.port());
    let ca = folder.path().join("ca.crt").display().to_string();
    let url = format!("postgresql://postgres@{host}:{port}/his?sslmode=verify-full&sslrootcert={ca}");
    hospital.work.set("primary", "url", &format!("\"{url}\""));
    let json = look(&hospital);
    assert_eq!(text(&json, "certificates"), "1 looked at, none expires soon", "{json:#}");
    let before = states(&json);
    certify(folder.path(), "5", None);
    put(&hospital.primary, folder.path());
    wait_until("the server shows the new certificate", Duration::from_secs(20), || {
        states(&look(&hospital))["certificates"] == "warning"
    });
    assert_eq!(turned(&hospital, &before), ["certificates warning", "DEGRADED"]);
    assert!(text(&look(&hospital), "certificates").starts_with("the certificate of the primary expires in 4 d"));
    certify(folder.path(), "30", Some("2020-01-01 00:00:00"));
    put(&hospital.primary, folder.path());
    wait_until("the server shows the expired certificate", Duration::from_secs(20), || {
        states(&look(&hospital))["certificates"] == "critical"
    });
    let json = look(&hospital);
    assert!(text(&json, "certificates").contains("has expired"), "{json}");
    assert!(text(&json, "primary").starts_with("runs, and gives no session: "), "{json}");
}

#[test]
fn a_replica_that_lags_is_told_and_one_that_still_hears_the_primary_keeps_it_from_being_called_dead() {
    let mut hospital = well();
    let replica = Replica::of(&hospital.primary);
    let line = Proxy::unix(&hospital.primary);
    hospital.work.edit(|p| {
        p.set("primary", "url", &format!("\"{}\"", line.url(DB)));
        p.set("primary", "read_url", &format!("\"{}\"", replica.url())).set("watch", "replica", "\"1s\"");
    });
    let before = states(&look(&hospital));
    assert_eq!(before["replica"], "ok");
    replica.try_value("SELECT pg_wal_replay_pause()").unwrap();
    hospital.primary.execute(DB, "INSERT INTO op.charge (total, who) VALUES (1, 'x')");
    sleep(Duration::from_millis(2200));
    assert_eq!(turned(&hospital, &before), ["replica warning", "DEGRADED"]);
    replica.try_value("SELECT pg_wal_replay_resume()").unwrap();
    wait_until("the replica has caught up", Duration::from_secs(20), || turned(&hospital, &before) == ["READY"]);
    line.set(Mode::Cut);
    let json = look(&hospital);
    assert!(text(&json, "primary").contains("but its replica heard it"), "{json:#}");
    assert_eq!(states(&json)["primary"], "warning");
    line.set(Mode::Pass);
    drop(replica);
    assert_eq!(turned(&hospital, &before), ["replica critical", "DEGRADED"]);
}

#[test]
fn a_print_pack_with_old_prices_used_slips_and_a_roll_that_runs_out_are_told() {
    let mut clinic = Clinic::new();
    let check =
        "[[check]]\nname = \"receipts\"\nsql = \"receipts-left.sql\"\non = \"standby\"\nwarn = 200\ncritical = 50\n";
    let own = check.to_owned() + &crate::paper::reference::profile();
    fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/his/receipts-left.sql"),
        clinic.work.path().join("receipts-left.sql"),
    )
    .unwrap();
    clinic.work.edit(|p| {
        p.tables(&own);
    });
    clinic.work.run("his-load-standby", &["init"]).expect(0);
    let load = |clinic: &Clinic| {
        clinic.work.run("his-snapshot", &["-q"]).expect(0);
        clinic.work.run("his-load-standby", &["-q"]).expect(0);
    };
    load(&clinic);
    clinic.work.run("his-import-paper", &["pack", "--to", "pack"]).expect(0);
    let look = |clinic: &Clinic| clinic.work.program("his-watch", &["--json"]).run().json();
    let of = |clinic: &Clinic, check: &str| (states(&look(clinic))[check].clone(), text(&look(clinic), check));
    for check in ["print-pack", "slips", "receipts"] {
        assert_eq!(of(&clinic, check).0, "ok", "{check}: {}", of(&clinic, check).1);
    }
    clinic.primary.execute(DB, "UPDATE base.charge_price SET price = price + 1 WHERE item_id = 1");
    load(&clinic);
    let (state, said) = of(&clinic, "print-pack");
    assert_eq!((state.as_str(), said.as_str()), ("warning", "changed since it was made: base.charge_price"));
    clinic.work.set("watch", "pack", "\"1ms\"");
    assert!(of(&clinic, "print-pack").1.contains(" old; changed since"));
    let status = clinic.work.json(0, "his-import-paper", &["numbers", "status", "charge"]);
    let first = status["blocks"][0]["first"].as_str().unwrap_or_else(|| panic!("{status:#}")).to_owned();
    clinic.work.run("his-import-paper", &["numbers", "void", &first, "--why", "wet"]).expect(0);
    let (state, said) = of(&clinic, "slips");
    assert_eq!((state.as_str(), said.as_str()), ("warning", "charge: 40 blank slips ready (wanted 60)"));
    let roll = "SET session_replication_role = replica; UPDATE outpatient.receipt_segment SET current_no = end_no - 300049 WHERE status = 0 AND id = (SELECT min(id) FROM outpatient.receipt_segment WHERE status = 0)";
    clinic.primary.execute(DB, roll);
    load(&clinic);
    let (state, said) = of(&clinic, "receipts");
    assert!(state == "critical" && said.ends_with(": 49"), "{said}");
    // Each page of the pack that comes from the plan, and none without one.
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/plan/plan.toml");
    assert!(!clinic.work.path().join("pack/calls.html").exists());
    clinic.work.set("plan", "file", &format!("\"{}\"", sample.display()));
    clinic.work.run("his-import-paper", &["pack", "--to", "pack"]).expect(0);
    for page in ["calls.html", "cards.html", "notice-patients-paper.html", "notice-staff-switch.html"] {
        assert!(clinic.work.path().join("pack").join(page).exists(), "{page}");
    }
    let index = fs::read_to_string(clinic.work.path().join("pack/index.html")).unwrap();
    assert!(index.contains("calls.html"), "{index}");
}

#[test]
fn a_drill_is_the_restore_test_and_grows_old() {
    let mut hospital = well();
    hospital.work.set("watch", "accept", "[\"apart\", \"mirror\"]");
    let before = states(&look(&hospital));
    assert_eq!(before["restore-test"], "warning");
    // Nobody works at a window in it, so it is no good drill; that the snapshots can be restored it has shown.
    hospital.work.set("drill", "seconds", "1");
    hospital.work.run("his-drill", &["run"]).expect(3);
    assert_eq!(turned(&hospital, &before), ["restore-test ok", "READY"]);
    hospital.work.set("watch", "restore_test", "\"1ms\"");
    assert_eq!(turned(&hospital, &before), ["DEGRADED"]);
    assert!(text(&look(&hospital), "restore-test").ends_with(" ago"));
}

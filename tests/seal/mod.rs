//! Signatures and encryption of what is stored and travels, checked with minisign and age themselves.

mod encrypted;
mod signed;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::support::workplace::DB;
use crate::support::{Program, Ran};
use crate::switch::Hospital;

/// A program of the system's, on the PATH.
fn system(name: &str, args: &[&str]) -> Ran {
    Program::at(Path::new(name)).args(args).run()
}

/// A key pair of minisign without a password: the secret key's file, and the public key as a profile names it.
pub fn key(hospital: &Hospital, name: &str) -> (String, String) {
    let secret = hospital.work.path().join(name);
    let public = hospital.work.path().join(format!("{name}.pub"));
    let at = |p: &Path| p.to_string_lossy().into_owned();
    system("minisign", &["-G", "-W", "-f", "-s", &at(&secret), "-p", &at(&public)]).expect(0);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("ours");
    let public = fs::read_to_string(public).expect("minisign wrote it");
    (at(&secret), public.lines().nth(1).expect("the key is the second line").to_owned())
}

/// A department that signs with a key of its own and trusts only that one.
pub fn signing() -> (Hospital, String) {
    let mut hospital = Hospital::without_generation();
    let (secret, public) = key(&hospital, "site.key");
    hospital.work.set("sign", "key", &format!("{secret:?}"));
    hospital.work.set("sign", "trusted", &format!("[{public:?}]"));
    hospital.load();
    (hospital, public)
}

/// One charge on the open standby, and its batch.
pub fn exported(hospital: &Hospital, who: &str) -> PathBuf {
    let charge = format!("INSERT INTO op.charge (total, who) VALUES (7, '{who}')");
    hospital.standby.client_as("his_app", DB).batch_execute(&charge).expect("the standby is open");
    let json = hospital.work.json(0, "his-export-queue", &[]);
    PathBuf::from(json["batches"][0]["path"].as_str().expect("a batch was made"))
}

pub fn snapshot(hospital: &Hospital) -> PathBuf {
    let list = hospital.work.json(0, "his-snapshot", &["list"]);
    let snapshots = list["snapshots"].as_array().expect("a list");
    let id = snapshots.last().expect("one at least")["snapshot"].as_str().expect("an id");
    hospital.work.store().join("snapshots").join(id)
}

fn hash(bytes: &[u8]) -> String {
    his_emergency::formats::hex(&Sha256::digest(bytes))
}

/// What an attacker does who knows the format: changes a file, and every checksum that speaks of it.
pub fn rewrite(dir: &Path, file: &str, change: impl Fn(&[u8]) -> Vec<u8>) {
    let old = fs::read(dir.join(file)).expect("it is there");
    let new = change(&old);
    assert_ne!(old, new);
    fs::write(dir.join(file), &new).expect("ours");
    let manifest = fs::read_to_string(dir.join("manifest.json")).expect("it is there");
    let sums = fs::read_to_string(dir.join("SHA256SUMS")).expect("it is there");
    let (old_manifest, new_manifest) = (hash(manifest.as_bytes()), manifest.replace(&hash(&old), &hash(&new)));
    fs::write(dir.join("manifest.json"), &new_manifest).expect("ours");
    let sums = sums.replace(&hash(&old), &hash(&new)).replace(&old_manifest, &hash(new_manifest.as_bytes()));
    fs::write(dir.join("SHA256SUMS"), sums).expect("ours");
    Program::at(Path::new("sha256sum")).args(["-c", "--quiet", "SHA256SUMS"]).dir(dir).run().expect(0);
}

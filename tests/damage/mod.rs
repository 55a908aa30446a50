//! The damage matrix (P4): every kind of damage, to every file of a snapshot, a batch, the register and the journal, before
//! every command that reads it later. Each cell is refused with exit code 5 and names the file.

mod kinds;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::paper;
use crate::seal::{exported, signing, snapshot};
use crate::support::{Ran, Workplace, aloud, copy};
use kinds::Kind;

/// Cells by artefact and damage: how many, and how many were refused.
#[derive(Default)]
struct Matrix {
    cells: BTreeMap<(&'static str, Kind), usize>,
    wrong: Vec<String>,
}

impl Matrix {
    /// One cell: `what / file / damage / command`. `names`: one of these texts must be in what it says.
    fn cell(&mut self, what: &'static str, kind: Kind, file: &str, ran: &Ran, code: &[i32], names: &[&str]) {
        *self.cells.entry((what, kind)).or_default() += 1;
        let said = ran.stdout.clone() + &ran.stderr;
        if !code.contains(&ran.code) || !names.iter().any(|name| said.contains(name)) {
            self.wrong.push(format!("{what} / {file} / {} / {}\n{}", kind.name(), ran.what, ran.shown()));
        }
    }

    fn end(self) {
        let line = |((what, kind), cells): (&(&str, Kind), &usize)| {
            format!("damage: {what:<9} {:<46} {cells:>5} cells\n", kind.name())
        };
        let all: usize = self.cells.values().sum();
        let table: String = self.cells.iter().map(line).collect();
        aloud(&format!("{table}damage: {all} cells, {} not refused", self.wrong.len()));
        assert!(self.wrong.is_empty(), "{} of {all} cells\n{}", self.wrong.len(), self.wrong.join("\n"));
    }
}

/// In the place of what is there.
fn put(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    copy(from, to);
}

/// Every file below a folder, relative.
fn files(dir: &Path) -> Vec<String> {
    his_emergency::formats::sums::files_below(dir).expect("a folder")
}

/// Does each damage to each file of `dir` (and to all of it), and `ask`s; then everything is put back.
fn damage(dir: &Path, old: &Path, mut ask: impl FnMut(Kind, &str, &[&str])) {
    let whole = dir.with_file_name("whole");
    put(dir, &whole);
    let all = files(&whole);
    for (at, file) in all.iter().enumerate() {
        let other = all[(at + 1) % all.len()].as_str();
        for kind in Kind::OF_FILES {
            if kind.done(dir, file, old) {
                // The hash of a file may be what was damaged, and then it is that file whose hash does not fit; two that were
                // swapped are both damaged.
                let names = match file.as_str() {
                    "SHA256SUMS" | "manifest.json" => {
                        vec!["SHA256SUMS", "manifest.json", ": its SHA-256 is", ": missing"]
                    }
                    _ if kind == Kind::Swap => vec![file.as_str(), other],
                    _ => vec![file.as_str()],
                };
                ask(kind, file, &names);
            }
            put(&whole, dir);
        }
    }
    for kind in [Kind::ReplayAll, Kind::Rewrite] {
        kind.done(dir, "", old);
        ask(
            kind,
            "all of it",
            &[
                "SHA256SUMS.minisig",
                "manifest.json",
                "it says that it is batch",
                "follows a batch",
                "its SHA256SUMS has SHA-256",
            ],
        );
        put(&whole, dir);
    }
    fs::remove_dir_all(whole).expect("ours");
}

#[test]
fn p4_every_damage_to_every_file_of_a_snapshot_is_refused_by_every_command_that_reads_it() {
    let (hospital, _) = signing();
    let old = snapshot(&hospital);
    // A day later there is a merge ledger too, and other rows.
    hospital.open();
    exported(&hospital, "first");
    hospital.switch(0, &["primary"]);
    hospital.work.run("his-snapshot", &["-q"]).expect(0);
    let dir = snapshot(&hospital);
    let kept = hospital.work.path().join("old");
    put(&old, &kept);
    let id = dir.file_name().expect("an id").to_string_lossy().into_owned();
    let stick = hospital.work.path().join("stick");
    fs::create_dir(&stick).expect("new");
    let stick = stick.to_string_lossy().into_owned();
    let commands: [(&str, Vec<&str>); 5] = [
        ("his-snapshot", vec!["verify"]),
        ("his-snapshot", vec!["copy", "--to", &stick]),
        ("his-load-standby", vec![]),
        ("his-load-standby", vec![&id, "--dry-run"]),
        ("his-merge", vec!["backfill", &id, "--dry-run"]),
    ];
    let mut matrix = Matrix::default();
    damage(&dir, &kept, |kind, file, names| {
        for (program, args) in &commands {
            matrix.cell("snapshot", kind, file, &hospital.work.run(program, args), &[5], names);
        }
    });
    matrix.end();
    assert_eq!(fs::read_dir(&stick).expect("there").count(), 0, "a damaged copy was left");
    hospital.work.run("his-load-standby", &[]).expect(0);
}

#[test]
fn p4_every_damage_to_every_file_of_a_batch_is_refused_by_every_command_that_reads_it() {
    let (hospital, _) = signing();
    hospital.open();
    let first = exported(&hospital, "first");
    let dir = exported(&hospital, "second");
    exported(&hospital, "third");
    // In no batch yet: an export that has something to do reads the chain that it goes on from.
    hospital
        .standby
        .client_as("his_app", "his")
        .batch_execute("INSERT INTO op.charge (total, who) VALUES (7, 'last')")
        .expect("it is open");
    hospital.work.run("his-merge", &["--early", &first.to_string_lossy()]).expect(3);
    let path = dir.to_string_lossy().into_owned();
    let commands: [(&str, Vec<&str>); 7] = [
        ("his-export-queue", vec!["verify"]),
        ("his-export-queue", vec![]),
        ("his-merge", vec!["--early"]),
        ("his-merge", vec!["--early", &path]),
        ("his-merge", vec!["--early", "--dry-run"]),
        ("his-merge", vec!["reconcile"]),
        ("his-switch", vec!["primary"]),
    ];
    let mut matrix = Matrix::default();
    damage(&dir, &first, |kind, file, names| {
        for (program, args) in &commands {
            // Batch 1 under another name is batch 1, and merged already.
            if kind == Kind::ReplayAll && args.contains(&path.as_str()) {
                continue;
            }
            matrix.cell("batch", kind, file, &hospital.work.run(program, args), &[5], names);
        }
        assert_eq!(hospital.status()["mode"], "standby", "the windows were moved over damage");
    });
    hospital.switch(0, &["primary"]);
    assert_eq!(hospital.charges_on_primary(), 0);
    assert_eq!(
        hospital
            .primary
            .value("his", "SELECT string_agg(who, ',' ORDER BY id) FROM op.charge WHERE total = 7 AND who <> 'before'"),
        "first,second,third,last"
    );
    matrix.end();
}

/// A file of lines and what it was a while ago.
fn lines(work: &Workplace, name: &str) -> (PathBuf, String) {
    let path = work.store().join(name);
    let text = fs::read_to_string(&path).expect("it is there");
    (path, text)
}

#[test]
fn p4_every_damage_to_the_register_of_slips_is_refused_by_every_command_that_reads_it() {
    let (_primary, _standby, work) = paper::without_servers(paper::FILED);
    for _ in 0..3 {
        work.run("his-import-paper", &["numbers", "issue", "charge", "--count", "5", "--to", "W01"]).expect(0);
    }
    let (path, text) = lines(&work, "paper/numbers.jsonl");
    let commands: [&[&str]; 4] = [
        &["numbers", "issue", "charge", "--count", "1", "--to", "W01"],
        &["numbers", "status"],
        &["numbers", "void", "S01-000001-97", "--why", "x"],
        &["status"],
    ];
    let mut matrix = Matrix::default();
    for kind in Kind::OF_LINES {
        for at in 0..text.lines().count() {
            let Some(damaged) = kind.lines(&text, at) else { continue };
            fs::write(&path, damaged).expect("ours");
            for args in commands {
                matrix.cell(
                    "register",
                    kind,
                    &format!("line {}", at + 1),
                    &work.run("his-import-paper", args),
                    &[5],
                    &["numbers.jsonl"],
                );
            }
            fs::write(&path, &text).expect("ours");
        }
    }
    work.run("his-import-paper", &["status"]).expect(0);
    matrix.end();
}

#[test]
fn p4_every_damage_to_the_journal_is_told_by_his_switch_status_and_his_watch() {
    let (hospital, _) = signing();
    hospital.open();
    let (path, text) = lines(&hospital.work, "journal.jsonl");
    let mut matrix = Matrix::default();
    for kind in Kind::OF_LINES {
        for at in 0..text.lines().count() {
            let Some(damaged) = kind.lines(&text, at) else { continue };
            fs::write(&path, damaged).expect("ours");
            let file = format!("line {}", at + 1);
            matrix.cell(
                "journal",
                kind,
                &file,
                &hospital.work.run("his-switch", &["status"]),
                &[5],
                &["DAMAGED: line "],
            );
            matrix.cell("journal", kind, &file, &hospital.work.run("his-watch", &[]), &[3, 4], &["the journal, line "]);
            fs::write(&path, &text).expect("ours");
        }
    }
    hospital.work.run("his-switch", &["status"]).expect(0);
    matrix.end();
}

//! What every reader of files keeps to, whatever is in the file: it takes it or says what is wrong, it never panics, and
//! what it takes holds together. Shared by the fuzz targets and by the test that runs the kept corpora.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use his_emergency::formats::digest::{Digested, RecordDigest};
use his_emergency::formats::sums;
use his_emergency::paper::sheet;
use his_emergency::plan::Plan;
use his_emergency::profile::Profile;
use his_emergency::queue::{self, Batch};
use his_emergency::seal::{Keys, Seal};
use his_emergency::snapshot::Snapshot;
use his_emergency::store::Store;
use tempfile::TempDir;

/// `true`: it took what it was given.
pub type Reader = fn(&[u8]) -> bool;

/// Each reader by its name, which is also that of its corpus.
pub const ALL: [(&str, Reader); 8] = [
    ("profile", profile),
    ("plan", plan),
    ("batch", batch),
    ("snapshot", snapshot),
    ("sums", checksums),
    ("journal", journal),
    ("records", records),
    ("slips", slips),
];

/// The directory of a frozen snapshot: a manifest is of the snapshot whose directory it lies in.
const SNAPSHOT: &str = "20261124T043532029Z";

thread_local! {
    static SCRATCH: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// A file in this thread's own directory, in memory where there is such a place.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let dir = SCRATCH.with_borrow_mut(|scratch| {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        scratch.get_or_insert_with(|| TempDir::new_in(place).expect("a directory")).path().to_path_buf()
    });
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("in the directory")).expect("made");
    fs::write(&path, bytes).expect("written");
    path
}

/// Below the project's root.
fn ours(path: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|dir| dir.join(path)).find(|p| p.exists()).expect("a file of the project")
}

pub fn profile(bytes: &[u8]) -> bool {
    let Ok(profile) = Profile::read(&file("his.toml", bytes)) else { return false };
    let _ = (profile.primary(), profile.download(), profile.standby());
    for table in &profile.tables {
        assert_eq!(profile.table(&table.name).map(|t| &t.name), Some(&table.name));
    }
    true
}

pub fn plan(bytes: &[u8]) -> bool {
    thread_local! {
        // The sample plan has its levels in a file beside it.
        static LEVELS: PathBuf = file("levels-four.toml", &fs::read(ours("samples/plan/levels-four.toml")).expect("ours"));
    }
    LEVELS.with(|_| ());
    let Ok(plan) = Plan::read(&file("plan.toml", bytes)) else { return false };
    for level in &plan.level {
        for cause in &plan.cause {
            let _ = plan.tasks(level.level, cause).count();
        }
    }
    true
}

/// `manifest.json` of a batch, with sums that fit: what is wrong is for the reader of the manifest to find.
pub fn batch(bytes: &[u8]) -> bool {
    let dir = listed("batch", bytes);
    let Ok(batch) = Batch::open(&dir, &Seal::new(&Keys::default())) else { return false };
    for table in &batch.manifest.tables {
        assert!(is_within(&table.file), "{}", table.file);
    }
    let again = serde_json::to_vec(&batch.manifest).expect("as JSON");
    assert_eq!(
        serde_json::from_slice::<his_emergency::formats::batch::Manifest>(&again).expect("read"),
        batch.manifest
    );
    let many = vec![batch.clone(); 10_000];
    assert_eq!(queue::totals(&many).units, 10_000 * batch.manifest.totals.units);
    true
}

pub fn snapshot(bytes: &[u8]) -> bool {
    let dir = listed(SNAPSHOT, bytes);
    let Ok(snapshot) = Snapshot::at(&dir, &Seal::new(&Keys::default())) else { return false };
    for table in &snapshot.manifest.tables {
        assert!(is_within(&table.file), "{}", table.file);
    }
    let _ = snapshot.verify_files();
    true
}

/// A directory with this manifest and the sums of it.
fn listed(name: &str, manifest: &[u8]) -> PathBuf {
    let path = file(&format!("{name}/manifest.json"), manifest);
    let hash = sums::of_file(&path).expect("ours");
    file(&format!("{name}/{}", sums::FILE), format!("{hash}  manifest.json\n").as_bytes());
    path.parent().expect("in a directory").to_path_buf()
}

fn is_within(path: &str) -> bool {
    !path.is_empty() && !path.starts_with('/') && path.split('/').all(|part| part != "..")
}

/// `SHA256SUMS` of a directory with one file.
pub fn checksums(bytes: &[u8]) -> bool {
    let manifest = file("sums/manifest.json", b"{}");
    let dir = manifest.parent().expect("in a directory");
    file(&format!("sums/{}", sums::FILE), bytes);
    let whole = format!("{}  manifest.json\n", sums::of_file(&manifest).expect("ours"));
    let taken = sums::check(dir).is_ok_and(|damage| damage.is_empty());
    // The same line twice says the same thing.
    assert!(!taken || String::from_utf8_lossy(bytes).lines().all(|line| line == whole.trim_end()));
    taken
}

pub fn journal(bytes: &[u8]) -> bool {
    thread_local! {
        static STORE: Store = {
            let text = "format = 1\n[site]\nname = \"x\"\ncode = \"01\"\ntimezone = \"UTC\"\n[primary]\nurl = \"postgresql://h/d\"\n\
                        [standby]\nurl = \"postgresql://s/d\"\n[store]\ndir = \"store\"\n[[table]]\nname = \"t\"\n";
            Store::open(&Profile::read(&file("journal/his.toml", text.as_bytes())).expect("a profile")).expect("a store")
        };
    }
    STORE.with(|store| {
        fs::write(store.dir().join("journal.jsonl"), bytes).expect("written");
        let (acts, broken) = store.journal().read().expect("a journal is read, whatever is in it");
        let text = String::from_utf8_lossy(bytes);
        assert!(broken.is_some() || acts.len() == text.lines().count());
        broken.is_none()
    })
}

/// CSV as PostgreSQL writes it, whole, in pieces, and in another order. The first byte says where it is cut; zeros and
/// ones end fields and records.
pub fn records(bytes: &[u8]) -> bool {
    let Some((cut, rest)) = bytes.split_first() else { return false };
    let raw = digest(&[rest]);
    let at = usize::from(*cut) % (rest.len() + 1);
    assert_eq!(digest(&[&rest[..at], &rest[at..]]), raw, "cut at {at}");

    let table: Vec<Vec<&[u8]>> = rest.split(|b| *b == 0).map(|r| r.split(|b| *b == 1).collect()).collect();
    let header: &[&[u8]] = &[b"a", b"b"];
    let forth = digest(&[&written(header, table.iter())]).expect("whole records");
    let back = digest(&[&written(header, table.iter().rev())]).expect("whole records");
    assert_eq!(forth.rows, table.len() as u64);
    assert_eq!((forth.rows, forth.bytes, forth.digest), (back.rows, back.bytes, back.digest));
    raw.is_some()
}

fn digest(pieces: &[&[u8]]) -> Option<Digested> {
    let mut digest = RecordDigest::default();
    pieces.iter().for_each(|piece| digest.update(piece));
    digest.finish()
}

fn written<'a>(header: &[&[u8]], rows: impl Iterator<Item = &'a Vec<&'a [u8]>>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    writer.write_record(header).expect("in memory");
    rows.for_each(|row| writer.write_record(row).expect("in memory"));
    writer.into_inner().expect("in memory")
}

/// A keyed file, CSV or XLSX, for the slips of the sample profile: each slip in it is taken once or refused with a reason.
pub fn slips(bytes: &[u8]) -> bool {
    thread_local! {
        static PROFILE: Profile = Profile::read(&ours("samples/his/his.toml")).expect("the sample's profile");
    }
    PROFILE.with(|profile| {
        let Ok(sheet) = sheet::read(&file("slips.csv", bytes), profile) else { return false };
        let refused: BTreeSet<&str> = sheet.rejects.iter().map(|r| r.slip_no.as_str()).collect();
        let numbers: BTreeSet<_> = sheet.slips.iter().map(|s| &s.number).collect();
        assert_eq!(numbers.len(), sheet.slips.len(), "a number twice");
        assert!(sheet.slips.len() <= sheet.read);
        assert!(!refused.is_empty() || sheet.slips.len() == sheet.read, "a slip neither taken nor refused");
        for column in &profile.slip(&sheet.kind).expect("of the profile").columns {
            let _ = sheet.total(&column.field);
        }
        true
    })
}

//! The readers of files, over the corpora that fuzzing left, over the samples, and over both with something changed. Longer,
//! and led by what the code does with its input: `make fuzz`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::parsers;
use crate::support::random::Random;
use crate::support::{Place, Program, aloud};

/// Changed inputs tried for each one kept, and for all of a reader.
const CHANGES: (usize, usize) = (100, 5000);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(dir).expect("a directory").map(|e| e.expect("an entry").path()).collect();
    all.sort();
    all.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// What fuzzing has found worth keeping, if there is anything.
fn unpacked(reader: &str) -> Option<Place> {
    let archive = root().join("tests/fuzz/corpus").join(format!("{reader}.tar.zst"));
    let place = archive.exists().then(|| Place::new("corpus"))?;
    let ran = Program::at("tar".as_ref()).args(["--zstd", "-xf"]).args([&archive]).dir(place.path()).run();
    assert!(ran.code == 0, "{}", ran.shown());
    Some(place)
}

/// Files of the samples that the reader is for.
fn samples(reader: &str) -> Vec<PathBuf> {
    let (dir, name) = match reader {
        "profile" => ("samples/his", "his.toml"),
        "plan" => ("samples/plan", "plan.toml"),
        "batch" => ("samples/formats/1/queue", "manifest.json"),
        "snapshot" => ("samples/formats/1/snapshots", "manifest.json"),
        "journal" => ("samples/formats/1", "journal.jsonl"),
        _ => return Vec::new(),
    };
    let found: Vec<PathBuf> = files(&root().join(dir)).into_iter().filter(|f| f.ends_with(name)).collect();
    assert!(!found.is_empty(), "no {name} below {dir}");
    found
}

/// A bit turned, a byte put in, a piece cut out, a piece of `other` put in, or the end cut off.
fn changed(bytes: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut to = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(to.len() + 1);
        let end = at + random.below((to.len() - at).min(64) + 1);
        match random.below(5) {
            0 if at < to.len() => to[at] ^= 1 << random.below(8),
            1 => to.insert(at, *random.pick(b"\"\n\r\0,;{}[]=.'/9-\xff").expect("some")),
            2 => drop(to.drain(at..end)),
            3 => {
                let from = random.below(other.len() + 1);
                let until = from + random.below((other.len() - from).min(64) + 1);
                to.splice(at..at, other[from..until].iter().copied());
            }
            _ => to.truncate(at),
        }
    }
    to
}

/// Says what the input was when the reader panics.
fn told(path: &Path, input: &[u8], read: impl FnOnce() -> bool) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read))
        .unwrap_or_else(|_| panic!("of {}: {}", path.display(), input.escape_ascii()))
}

#[test]
fn whatever_is_in_a_file_its_reader_takes_it_or_says_what_is_wrong() {
    for (name, reader) in parsers::ALL {
        let corpus = unpacked(name);
        // Those made by hand, where there are any.
        let by_hand = root().join("tests/fuzz/corpus").join(name);
        let mut kept = if by_hand.is_dir() { files(&by_hand) } else { Vec::new() };
        kept.extend(corpus.iter().flat_map(|place| files(place.path())));
        kept.extend(samples(name));
        let inputs: Vec<Vec<u8>> = kept.iter().map(|path| fs::read(path).expect("ours")).collect();
        let mut random = Random::new(0x00c0_ffee);
        let (mut taken, mut tried) = (0, 0);
        for (path, bytes) in kept.iter().zip(&inputs) {
            taken += usize::from(told(path, bytes, || reader(bytes)));
            for _ in 0..CHANGES.0.min(CHANGES.1 / inputs.len()) {
                let other = random.pick(&inputs).expect("one at least");
                let input = changed(bytes, other, &mut random);
                tried += 1;
                taken += usize::from(told(path, &input, || reader(&input)));
            }
        }
        tried += kept.len();
        aloud(&format!("fuzz: {name}: {} kept, {tried} tried, {taken} taken, {} refused", kept.len(), tried - taken));
        assert!(taken > 0 && taken < tried, "{name}: all or none of {tried} were taken");
    }
}

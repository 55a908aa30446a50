//! The kinds of damage.

use std::fs;
use std::path::Path;

use crate::seal::rewrite;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Flip,
    Zeros,
    Truncate,
    Empty,
    Extend,
    Delete,
    Duplicate,
    Swap,
    Replay,
    /// All files, by those of an older one.
    ReplayAll,
    /// One file, and every checksum that speaks of it.
    Rewrite,
}

impl Kind {
    pub const OF_FILES: [Kind; 9] = [
        Kind::Flip,
        Kind::Zeros,
        Kind::Truncate,
        Kind::Empty,
        Kind::Extend,
        Kind::Delete,
        Kind::Duplicate,
        Kind::Swap,
        Kind::Replay,
    ];

    pub const OF_LINES: [Kind; 8] =
        [Kind::Flip, Kind::Zeros, Kind::Truncate, Kind::Empty, Kind::Delete, Kind::Duplicate, Kind::Swap, Kind::Replay];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Flip => "a flipped bit",
            Kind::Zeros => "zeros in the second half",
            Kind::Truncate => "cut short",
            Kind::Empty => "emptied",
            Kind::Extend => "longer by a byte",
            Kind::Delete => "deleted",
            Kind::Duplicate => "there twice",
            Kind::Swap => "swapped with another",
            Kind::Replay => "an old one in its place",
            Kind::ReplayAll => "an old one in the place of all of it",
            Kind::Rewrite => "rewritten with manifest and checksums",
        }
    }

    /// Does it to `file` of `dir`; `old` is an earlier directory of the same kind. `false`: it would change nothing.
    pub fn done(self, dir: &Path, file: &str, old: &Path) -> bool {
        let path = dir.join(file);
        if self == Kind::ReplayAll {
            super::put(old, dir);
            return true;
        }
        if self == Kind::Rewrite {
            // The content of a table, by other content of the same form.
            let names = super::files(dir);
            let csv = names.iter().find(|f| f.contains("op.charge.csv")).expect("the charges");
            rewrite(dir, csv, |bytes| bytes.iter().rev().copied().collect());
            return true;
        }
        let bytes = fs::read(&path).expect("it is there");
        let half = bytes.len() / 2;
        let damaged = match self {
            Kind::Flip => {
                let mut flipped = bytes.clone();
                flipped[half] ^= 0x10;
                flipped
            }
            Kind::Zeros => [&bytes[..half], &vec![0; bytes.len() - half][..]].concat(),
            Kind::Truncate => bytes[..bytes.len() - 1].to_vec(),
            Kind::Empty => Vec::new(),
            Kind::Extend => [&bytes[..], b"\n"].concat(),
            Kind::Delete => {
                fs::remove_file(&path).expect("ours");
                return true;
            }
            Kind::Duplicate => {
                fs::write(
                    path.with_file_name(format!("{}.2", path.file_name().expect("a file").to_string_lossy())),
                    &bytes,
                )
                .expect("ours");
                return true;
            }
            Kind::Swap => {
                let names = super::files(dir);
                let at = names.iter().position(|name| name == file).expect("it is listed");
                let other = dir.join(&names[(at + 1) % names.len()]);
                let theirs = fs::read(&other).expect("it is there");
                if theirs == bytes {
                    return false;
                }
                fs::write(other, &bytes).expect("ours");
                theirs
            }
            Kind::Replay => match fs::read(old.join(file)) {
                Ok(theirs) if theirs != bytes => theirs,
                _ => return false,
            },
            Kind::ReplayAll | Kind::Rewrite => unreachable!("done above"),
        };
        fs::write(path, damaged).expect("ours");
        true
    }

    /// Does it to line `at` of a file of lines; `None` when it would change nothing.
    pub fn lines(self, text: &str, at: usize) -> Option<Vec<u8>> {
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let half = lines[at].len() / 2;
        match self {
            Kind::Flip => {
                let mut bytes = text.as_bytes().to_vec();
                let before: usize = lines[..at].iter().map(String::len).sum();
                bytes[before + half] ^= 0x01;
                return Some(bytes);
            }
            Kind::Zeros => {
                let length = lines[at].len() - half - 1;
                lines[at].replace_range(half..half + length, &"\0".repeat(length));
            }
            Kind::Truncate => {
                // At the end of the file a byte, else the line: what follows does not follow from it any more.
                let end = lines[at].len() - if at + 1 == lines.len() { 1 } else { 2 };
                lines[at].truncate(end);
            }
            Kind::Empty if at == 0 => lines.clear(),
            Kind::Delete => drop(lines.remove(at)),
            Kind::Duplicate => lines.insert(at, lines[at].clone()),
            Kind::Swap if at + 1 < lines.len() => lines.swap(at, at + 1),
            Kind::Replay if at > 0 => lines.truncate(at),
            _ => return None,
        }
        Some(lines.concat().into_bytes())
    }
}

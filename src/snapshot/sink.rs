//! Where the CSV of one table goes: digested, compressed and written in a thread of its own, beside the one that reads
//! from the server.

use crate::formats::census::{Census, Taking};
use crate::formats::digest::{Digested, RecordDigest};
use crate::seal::Seal;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Fast, and as good as higher levels on tables of numbers and short texts.
const LEVEL: i32 = 2;
/// Blocks that may wait between reading and writing; with the reader's block size this bounds the memory of a worker.
const WAITING: usize = 8;

/// A file that was written whole.
#[derive(Debug)]
pub struct Written {
    pub digested: Digested,
    /// Of the file as stored.
    pub sha256: String,
    /// Of the column that was asked for, where it could be taken.
    pub census: Option<Census>,
}

/// Takes the blocks of one CSV.
pub struct Sink {
    feed: Feed,
    thread: JoinHandle<io::Result<Written>>,
}

/// What gives blocks to a sink. Of several, each gives whole records, after the header.
#[derive(Clone)]
pub struct Feed(SyncSender<Vec<u8>>);

impl Feed {
    /// Hands the next block over. False when writing has failed; [`Sink::finish`] says why.
    #[must_use]
    pub fn put(&self, block: Vec<u8>) -> bool {
        self.0.send(block).is_ok()
    }
}

impl Sink {
    /// Starts writing to `path`, which must not be there yet.
    pub fn open(path: PathBuf, seal: Seal, compress: bool) -> Sink {
        Self::open_taking(path, seal, compress, None)
    }

    /// As [`Sink::open`]; takes a census of the whole numbers in the column at this place.
    pub fn open_taking(path: PathBuf, seal: Seal, compress: bool, key: Option<usize>) -> Sink {
        let (send, receive) = sync_channel(WAITING);
        let taking = key.map(Taking::of_column);
        let thread = std::thread::spawn(move || write(&path, &seal, compress, taking, &receive));
        Sink { feed: Feed(send), thread }
    }

    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Waits until the last of its feeds is gone and everything is on the disk.
    pub fn finish(self) -> io::Result<Written> {
        drop(self.feed);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the writing thread died")))
    }
}

/// How the file of a CSV is named: `.zst` when it is compressed, then `.age` when it is encrypted.
pub fn file_name(csv: &str, seal: &Seal, compress: bool) -> String {
    seal.name(&if compress { format!("{csv}.zst") } else { csv.to_owned() })
}

fn write(
    path: &Path,
    seal: &Seal,
    compress: bool,
    mut taking: Option<Taking>,
    blocks: &Receiver<Vec<u8>>,
) -> io::Result<Written> {
    let mut out = seal.create(path)?;
    // What is stored as it came is hashed as it is stored.
    let as_it_came = !compress && seal.name("").is_empty();
    let digest = RecordDigest::default();
    let mut digest = if as_it_came { digest } else { digest.and_whole() };
    let mut take = |block: &[u8]| {
        match &mut taking {
            Some(taking) => digest.update_and(block, |record| taking.record(record)),
            None => digest.update(block),
        }
        // The server sends each row in a message of its own; were it otherwise, what several give would be mixed up.
        if digest.is_complete() { Ok(()) } else { Err(cut_off()) }
    };
    if compress {
        let mut encoder = zstd::Encoder::new(out, LEVEL)?;
        encoder.include_checksum(true)?;
        for block in blocks {
            take(&block)?;
            encoder.write_all(&block)?;
        }
        out = encoder.finish()?;
    } else {
        for block in blocks {
            take(&block)?;
            out.write_all(&block)?;
        }
    }
    let sha256 = out.finish()?;
    let mut digested = digest.finish().ok_or_else(cut_off)?;
    if as_it_came {
        digested.sha256.clone_from(&sha256);
    }
    Ok(Written { digested, sha256, census: taking.and_then(Taking::finish) })
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server's CSV ended inside a record")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_is_put_in_comes_out_again_and_the_hash_is_of_the_stored_file() {
        let dir = tempfile::tempdir().unwrap();
        for compress in [false, true] {
            let path = dir.path().join(file_name("t.csv", &Seal::default(), compress));
            let sink = Sink::open(path.clone(), Seal::default(), compress);
            assert!(sink.feed.put(b"id,name\n".to_vec()) && sink.feed.put(b"1,\"a\n\"\n".to_vec()));
            let written = sink.finish().unwrap();
            assert_eq!((written.digested.rows, written.digested.bytes), (1, 15));
            assert_eq!(written.sha256, crate::formats::sums::of_file(&path).unwrap());
            let mut text = String::new();
            Seal::default().open(&path).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "id,name\n1,\"a\n\"\n");
        }
    }

    #[test]
    fn a_cut_off_stream_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let sink = Sink::open(dir.path().join("f"), Seal::default(), true);
        assert!(sink.feed.put(b"id\n1\n2".to_vec()));
        assert_eq!(sink.finish().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}

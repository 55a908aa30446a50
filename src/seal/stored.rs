//! Data files as they lie in the store: hashed as written, compressed before they are encrypted, so that plain `sha256sum`,
//! `age -d` and `zstd -d` read them one after the other.

use super::read_secret;
use crate::formats::hex;
use crate::store::durable;
use age::stream::StreamWriter;
use age::x25519;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

/// Bytes after which what was written so far is put on the disk: while the next ones are read and compressed, and not all of it
/// at the end, when nothing else is left to do.
const SYNC_EVERY: usize = 32 << 20;

/// A file, hashed as it is written.
struct Hashed {
    file: File,
    hash: Sha256,
    /// Bytes since the last sync.
    unsynced: usize,
    beside: Option<Beside>,
}

/// Puts a file on the disk while it is written: a sync takes as long as the disk does, and whoever writes would stand still.
struct Beside {
    /// Holds one: what comes while a sync waits its turn is covered by that one.
    again: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Beside {
    fn of(file: &File) -> io::Result<Beside> {
        let file = file.try_clone()?;
        let (again, turns) = sync_channel(1);
        let sync = move || turns.iter().try_for_each(|()| file.sync_data());
        Ok(Beside { again, thread: thread::Builder::new().name("sync".into()).spawn(sync)? })
    }

    /// An error of the disk is told to one sync of a file and not again: it would be lost with the thread.
    fn done(self) -> io::Result<()> {
        drop(self.again);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that syncs has panicked")))
    }
}

impl Hashed {
    fn sync_beside(&mut self) -> io::Result<()> {
        self.unsynced = 0;
        let beside = match self.beside.take() {
            Some(beside) => beside,
            None => Beside::of(&self.file)?,
        };
        match beside.again.try_send(()) {
            Ok(()) | Err(TrySendError::Full(())) => self.beside = Some(beside),
            // It has failed: say so now, and not when everything has been written.
            Err(TrySendError::Disconnected(())) => beside.done()?,
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<String> {
        if let Some(beside) = self.beside.take() {
            beside.done()?;
        }
        self.file.sync_all()?;
        Ok(hex(&self.hash.finalize()))
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.unsynced += written;
        if self.unsynced >= SYNC_EVERY {
            self.sync_beside()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

enum Way {
    Plain(Hashed),
    Sealed(Box<StreamWriter<Hashed>>),
}

/// A data file that is being written.
pub struct Output {
    way: Way,
}

impl Output {
    pub(super) fn create(path: &Path, recipients: &[String]) -> io::Result<Output> {
        let hashed = Hashed { file: durable::create_file(path)?, hash: Sha256::new(), unsynced: 0, beside: None };
        if recipients.is_empty() {
            return Ok(Output { way: Way::Plain(hashed) });
        }
        let parsed: Result<Vec<x25519::Recipient>, _> = recipients.iter().map(|r| r.parse()).collect();
        let parsed = parsed.map_err(|e: &str| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        let encryptor = age::Encryptor::with_recipients(parsed.iter().map(|r| r as &dyn age::Recipient));
        let writer = encryptor.map_err(io::Error::other)?.wrap_output(hashed)?;
        Ok(Output { way: Way::Sealed(Box::new(writer)) })
    }

    /// Everything is on the disk; gives the SHA-256 of the file as stored.
    pub fn finish(self) -> io::Result<String> {
        match self.way {
            Way::Plain(hashed) => hashed.finish(),
            Way::Sealed(writer) => writer.finish()?.finish(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.way {
            Way::Plain(hashed) => hashed.write(bytes),
            Way::Sealed(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Plain(hashed) => hashed.flush(),
            Way::Sealed(writer) => writer.flush(),
        }
    }
}

/// The content of a file, by the endings of its name.
pub fn open(path: &Path, identity: Option<&Path>) -> io::Result<Box<dyn Read + Send>> {
    let file = BufReader::with_capacity(1 << 18, File::open(path)?);
    if path.extension().is_some_and(|e| e == "age") {
        let identities = identity.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it is encrypted, and the profile has no [encrypt] identity",
            )
        })?;
        let identities = identities_of(identities)?;
        let decryptor = age::Decryptor::new_buffered(file).map_err(io::Error::other)?;
        let reader =
            decryptor.decrypt(identities.iter().map(|i| &**i as &dyn age::Identity)).map_err(io::Error::other)?;
        return decompressed(path.with_extension("").as_path(), reader);
    }
    decompressed(path, file)
}

fn decompressed(path: &Path, from: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    if path.extension().is_some_and(|e| e == "zst") {
        Ok(Box::new(zstd::Decoder::new(from)?))
    } else {
        Ok(Box::new(from))
    }
}

type Identities = Vec<Box<dyn age::Identity + Send + Sync>>;

/// That the file of identities can be used.
pub fn identities(path: &Path) -> io::Result<()> {
    identities_of(path).map(drop)
}

fn identities_of(path: &Path) -> io::Result<Identities> {
    let text = read_secret(path)?;
    let named = |e: String| io::Error::new(io::ErrorKind::InvalidData, format!("'{}': {e}", path.display()));
    let file = age::IdentityFile::from_buffer(text.as_bytes()).map_err(|e| named(e.to_string()))?;
    file.into_identities().map_err(|e| named(e.to_string()))
}

/// Whether `text` is an age recipient that data can be encrypted to.
#[must_use]
pub fn is_recipient(text: &str) -> bool {
    text.parse::<x25519::Recipient>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use age::secrecy::ExposeSecret;
    use std::os::unix::fs::OpenOptionsExt;

    #[test]
    fn an_error_of_a_sync_beside_the_writing_is_told() {
        // The device takes every byte, and cannot be synced.
        let file = || File::options().write(true).open("/dev/null").unwrap();
        let beside = Beside::of(&file()).unwrap();
        beside.again.send(()).unwrap();
        assert_eq!(beside.done().unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let mut hashed = Hashed { file: file(), hash: Sha256::new(), unsynced: 0, beside: None };
        let part = vec![0; SYNC_EVERY];
        let failed = (0..1000).find_map(|_| hashed.write(&part).err());
        assert_eq!(failed.expect("told while it is written").kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn what_is_encrypted_is_read_again_with_the_identity_and_with_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, other) = (x25519::Identity::generate(), x25519::Identity::generate());
        let keep = |name: &str, identity: &x25519::Identity| {
            let path = dir.path().join(name);
            let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(&path).unwrap();
            file.write_all(identity.to_string().expose_secret().as_bytes()).unwrap();
            path
        };
        let (ours_file, other_file) = (keep("ours", &ours), keep("other", &other));
        let path = dir.path().join("data.csv.zst.age");
        let mut encoder =
            zstd::Encoder::new(Output::create(&path, &[ours.to_public().to_string()]).unwrap(), 2).unwrap();
        encoder.write_all("名字,1\n".as_bytes()).unwrap();
        let sha256 = encoder.finish().unwrap().finish().unwrap();
        assert_eq!(sha256, crate::formats::sums::of_file(&path).unwrap());
        let mut text = String::new();
        open(&path, Some(&ours_file)).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "名字,1\n");
        assert!(open(&path, Some(&other_file)).is_err());
        assert!(open(&path, None).is_err());
        assert!(!std::fs::read(&path).unwrap().windows(6).any(|w| w == "名字".as_bytes()));
    }
}

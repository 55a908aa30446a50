//! Who wrote a snapshot or a batch, and who may read it: signatures (minisign) over `SHA256SUMS`, and data files that are
//! stored encrypted (age). Checksums show what chance has damaged; a signature shows what a person has rewritten.

mod sign;
mod stored;

pub use sign::is_public_key;
pub use stored::{Output, is_recipient};

use crate::error::{Error, Result};
use crate::formats::sums::{self, Damage};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the name of an encrypted file ends in.
pub const SEALED: &str = ".age";

/// Keys as the profile names them. They are read when they are needed, so that a key that cannot be read stops nothing else.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The file of this site's secret minisign key.
    pub sign: Option<PathBuf>,
    /// Public minisign keys; empty: nothing need be signed.
    pub trusted: Vec<String>,
    /// Age recipients that data files are encrypted to; empty: they are stored as they are.
    pub recipients: Vec<String>,
    /// The file of the age identities that this machine reads encrypted files with.
    pub identity: Option<PathBuf>,
}

/// Signs, checks, encrypts and decrypts with the keys of a profile. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Seal {
    keys: Arc<Keys>,
}

impl Seal {
    #[must_use]
    pub fn new(keys: &Keys) -> Seal {
        Seal { keys: Arc::new(keys.clone()) }
    }

    /// Signs the `SHA256SUMS` of `dir`, when the profile has a key; `what` is named in the signature.
    pub fn sign(&self, dir: &Path, what: &str) -> Result<()> {
        self.keys.sign.as_deref().map_or(Ok(()), |key| sign::sign(key, &self.keys.trusted, dir, what))
    }

    /// Everything in `dir` that is not as it was written, or not signed by somebody who is trusted.
    pub fn check(&self, dir: &Path) -> Result<Vec<Damage>> {
        let mut found = sums::check(dir)?;
        // What does not hold by its own checksums need not be asked who signed it.
        if found.is_empty() && !self.keys.trusted.is_empty() {
            found.extend(sign::verify(&self.keys.trusted, dir)?);
        }
        Ok(found)
    }

    /// As [`Seal::check`]; any damage is an error that names the first file and how many there are.
    pub fn require(&self, dir: &Path) -> Result<()> {
        let damaged = self.check(dir)?;
        let Some(first) = damaged.first() else {
            return Ok(());
        };
        let more = if damaged.len() > 1 { format!(", and {} more", damaged.len() - 1) } else { String::new() };
        let error =
            Error::damaged(format!("use '{}'", dir.display()), format!("{}: {}{more}", first.file, first.reason));
        Err(if first.file == sums::SIGNATURE { error.hint(sign::HINT) } else { error })
    }

    /// How a data file is named in the store: with `.age` when it is encrypted.
    #[must_use]
    pub fn name(&self, file: &str) -> String {
        if self.keys.recipients.is_empty() { file.to_owned() } else { format!("{file}{SEALED}") }
    }

    /// A new data file for its owner only, encrypted when the profile has recipients.
    pub fn create(&self, path: &Path) -> io::Result<Output> {
        Output::create(path, &self.keys.recipients)
    }

    /// The content of a data file, decrypted and decompressed as its name says.
    pub fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        stored::open(path, self.keys.identity.as_deref())
    }

    /// As [`Seal::open`] for a file of `dir` that may have been written with or without encryption.
    pub fn open_either(&self, dir: &Path, file: &str) -> io::Result<Box<dyn Read + Send>> {
        let sealed = dir.join(format!("{file}{SEALED}"));
        self.open(&if sealed.exists() { sealed } else { dir.join(file) })
    }

    /// Whether this machine can read what `path` is named as: an encrypted file wants an identity.
    #[must_use]
    pub fn reads(&self, path: &str) -> bool {
        self.keys.identity.is_some() || !path.ends_with(SEALED)
    }

    /// What is wrong with the keys of this machine, in words; empty when all of them can be used. `None` without any.
    #[must_use]
    pub fn trouble(&self) -> Option<Vec<String>> {
        let k = &*self.keys;
        if k.sign.is_none() && k.trusted.is_empty() && k.recipients.is_empty() && k.identity.is_none() {
            return None;
        }
        let mut found = Vec::new();
        if let Some(key) = &k.sign
            && let Err(e) = sign::usable(key, &k.trusted)
        {
            found.push(e.to_string());
        }
        if let Some(identity) = &k.identity
            && let Err(e) = stored::identities(identity)
        {
            found.push(e.to_string());
        }
        if k.identity.is_none() && !k.recipients.is_empty() {
            found.push("no [encrypt] identity: this machine writes what it cannot read".to_owned());
        }
        Some(found)
    }
}

/// A secret that others may read is none.
fn read_secret(path: &Path) -> io::Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        let reason =
            format!("'{}' can be read by others (its mode is {:o}, expected 600)", path.display(), mode & 0o777);
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    std::fs::read_to_string(path).map_err(|e| io::Error::new(e.kind(), format!("'{}': {e}", path.display())))
}

//! Signatures in the format of minisign, so that `minisign -Vm SHA256SUMS -P KEY` checks them with no tool of ours.

use super::read_secret;
use crate::error::{Cannot, Error, Result};
use crate::formats::sums::{self, Damage, SIGNATURE};
use crate::store::durable;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as STANDARD;
use minisign::{PublicKey, SecretKey, SecretKeyBox, SignatureBox};
use std::io::{Cursor, Write};
use std::path::Path;

/// What to do about a missing or foreign signature.
pub const HINT: &str = "take it again from where it was made; if that site has a new key, add its public key to [sign] trusted. his-emergency(7) says how keys are changed.";

/// Whether `text` is a public key of minisign.
#[must_use]
pub fn is_public_key(text: &str) -> bool {
    PublicKey::from_base64(text).is_ok()
}

/// The secret key of this site. One with a password cannot be used from a timer.
fn secret(path: &Path) -> Result<SecretKey> {
    let doing = || format!("use the signing key '{}'", path.display());
    let text = read_secret(path).map_err(|e| {
        Error::usage(doing(), e)
            .hint("[sign] key of the profile names it; it belongs to the account that runs the tools, mode 600.")
    })?;
    let key = SecretKeyBox::from_string(&text).and_then(SecretKeyBox::into_unencrypted_secret_key);
    key.or_else(|e| without_checksum(&text).ok_or(e)).map_err(|e| {
        Error::usage(doing(), e).hint("make one without a password: minisign -G -W -s KEY -p KEY.pub; or take the password away: minisign -C -W -s KEY.")
    })
}

/// minisign itself writes no checksum into a key without a password, and the crate wants one.
fn without_checksum(text: &str) -> Option<SecretKey> {
    // Algorithms of signature, password and checksum (2 bytes each), salt (32), limits (16), number (8), key (64), checksum (32).
    let bytes = STANDARD.decode(text.lines().nth(1)?.trim()).ok()?;
    let (password, checksum) = (bytes.get(2..4)?, bytes.get(126..158)?);
    let plain = password == [0, 0] && checksum == [0; 32];
    plain.then(|| SecretKey::from_bytes(&bytes).ok()).flatten()
}

/// That the key can sign, and that what it signs would be trusted here.
pub fn usable(key: &Path, trusted: &[String]) -> Result<SecretKey> {
    let secret = secret(key)?;
    let doing = || format!("use the signing key '{}'", key.display());
    let public = PublicKey::from_secret_key(&secret).map_err(|e| Error::usage(doing(), e))?.to_base64();
    if !trusted.is_empty() && !trusted.contains(&public) {
        return Err(Error::usage(doing(), format!("its public key {public} is not among [sign] trusted"))
            .hint("what it signs would be refused here: add that line to [sign] trusted on every machine first."));
    }
    Ok(secret)
}

/// Writes the signature beside `SHA256SUMS`.
pub fn sign(key: &Path, trusted: &[String], dir: &Path, what: &str) -> Result<()> {
    let secret = usable(key, trusted)?;
    let doing = || format!("sign '{}'", dir.display());
    let text = std::fs::read(dir.join(sums::FILE)).cannot(doing())?;
    let signed = minisign::sign(None, &secret, Cursor::new(text), Some(what), Some("his-emergency"));
    let signed = signed.map_err(|e| Error::failed(doing(), e))?.to_string();
    let mut file = durable::create_file(&dir.join(SIGNATURE)).cannot(doing())?;
    file.write_all(signed.as_bytes()).and_then(|()| file.sync_all()).cannot(doing())
}

/// What is wrong with the signature of `dir`, if anything is.
pub fn verify(trusted: &[String], dir: &Path) -> Result<Option<Damage>> {
    let doing = || format!("verify '{}'", dir.display());
    let damage = |reason: String| Ok(Some(Damage { file: SIGNATURE.to_owned(), reason }));
    let text = match std::fs::read(dir.join(SIGNATURE)) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return damage("missing".to_owned()),
        other => other.cannot(doing())?,
    };
    let text = String::from_utf8_lossy(&text);
    // Four lines and nothing else: the parser would not mind what follows them.
    let whole = text.ends_with('\n') && text.matches('\n').count() == 4;
    let signature = match SignatureBox::from_string(&text) {
        Ok(signature) if whole => signature,
        _ => return damage("it is no signature of minisign".to_owned()),
    };
    let content = std::fs::read(dir.join(sums::FILE)).cannot(doing())?;
    let keys = trusted.iter().filter_map(|key| PublicKey::from_base64(key).ok());
    let of_signer: Vec<PublicKey> = keys.filter(|key| key.keynum() == signature.keynum()).collect();
    if of_signer.is_empty() {
        return damage("it is of a key that [sign] trusted does not name".to_owned());
    }
    let holds = |key: &PublicKey| minisign::verify(key, &signature, Cursor::new(&content), true, false, false).is_ok();
    if of_signer.iter().any(holds) { Ok(None) } else { damage(format!("it is not of this {}", sums::FILE)) }
}

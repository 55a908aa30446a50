//! `[sign]` and `[encrypt]`: keys of this site and of those it trusts.

use super::reader::Section;
use crate::seal::{self, Keys};
use std::path::Path;

pub(super) fn sign(mut s: Section, base: &Path, keys: &mut Keys) {
    keys.sign = s.text("key").map(|k| base.join(k));
    keys.trusted = s.texts("trusted").unwrap_or_default();
    if let Some(bad) = keys.trusted.iter().find(|k| !seal::is_public_key(k)) {
        s.bad("trusted", format!("names '{bad}' (expected the second line of a minisign .pub file, RW…)"));
    }
    s.done();
}

pub(super) fn encrypt(mut s: Section, base: &Path, keys: &mut Keys) {
    keys.identity = s.text("identity").map(|k| base.join(k));
    keys.recipients = s.texts("recipients").unwrap_or_default();
    if let Some(bad) = keys.recipients.iter().find(|r| !seal::is_recipient(r)) {
        s.bad("recipients", format!("names '{bad}' (expected an age recipient, age1…)"));
    }
    s.done();
}

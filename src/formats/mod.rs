//! The files that travel: manifests, checksums, digests (his-formats(5)).

pub mod batch;
pub mod cell;
pub mod census;
pub mod digest;
pub mod records;
pub mod snapshot;
pub mod sums;
pub mod tally;

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

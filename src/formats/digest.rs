//! A digest of CSV that does not depend on the order of the records.
//!
//! Each record is hashed with SHA-256 and the hashes are added modulo 2^256; with the count this tells two tables
//! apart whatever order the servers return rows in, so neither has to sort. (XOR would not do: a record twice would
//! vanish.) The header record is not counted and not added.

use super::records::Records;
use sha2::{Digest as _, Sha256};

/// Splits a stream of CSV bytes into records and digests them. Feed it chunks of any size.
#[derive(Clone, Default)]
pub struct RecordDigest {
    sum: Sum,
    rows: u64,
    bytes: u64,
    records: Records,
    /// Of all bytes, where that is asked for.
    whole: Option<Sha256>,
}

/// A number modulo 2^256, its lowest part first.
#[derive(Clone, Copy, Default)]
struct Sum([u64; 4]);

impl Sum {
    fn add(&mut self, hash: &[u8]) {
        let mut carry = false;
        for (limb, bytes) in self.0.iter_mut().zip(hash.chunks_exact(8)) {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            let (partial, over) = limb.overflowing_add(u64::from_le_bytes(word));
            let (total, over_again) = partial.overflowing_add(u64::from(carry));
            (*limb, carry) = (total, over || over_again);
        }
    }
}

/// What was digested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digested {
    /// Records without the header.
    pub rows: u64,
    pub bytes: u64,
    /// SHA-256 of all bytes as they came; empty when it was not asked for.
    pub sha256: String,
    /// The sum of the records' hashes.
    pub digest: String,
}

impl RecordDigest {
    /// One that hashes the stream as a whole too.
    #[must_use]
    pub fn and_whole() -> RecordDigest {
        RecordDigest { whole: Some(Sha256::new()), ..RecordDigest::default() }
    }

    /// One of records without a header.
    #[must_use]
    pub fn of_records() -> RecordDigest {
        RecordDigest { records: Records::after_header(), ..RecordDigest::default() }
    }

    /// Takes the next bytes of the stream.
    pub fn update(&mut self, chunk: &[u8]) {
        self.update_and(chunk, |_| ());
    }

    /// As [`RecordDigest::update`]; `each` sees every record that ends in these bytes.
    pub fn update_and(&mut self, chunk: &[u8], mut each: impl FnMut(&[u8])) {
        self.bytes += chunk.len() as u64;
        if let Some(whole) = &mut self.whole {
            whole.update(chunk);
        }
        let (sum, rows) = (&mut self.sum, &mut self.rows);
        self.records.push(chunk, |record| {
            sum.add(&Sha256::digest(record));
            *rows += 1;
            each(record);
        });
    }

    /// Ends the stream. `None` when it ends inside a record: something is missing.
    #[must_use]
    pub fn finish(self) -> Option<Digested> {
        let digest: Vec<u8> = self.sum.0.iter().flat_map(|limb| limb.to_le_bytes()).collect();
        self.records.complete().then(|| Digested {
            rows: self.rows,
            bytes: self.bytes,
            sha256: self.whole.map(|whole| super::hex(&whole.finalize())).unwrap_or_default(),
            digest: super::hex(&digest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(chunks: &[&str]) -> Option<Digested> {
        let mut digest = RecordDigest::and_whole();
        chunks.iter().for_each(|c| digest.update(c.as_bytes()));
        digest.finish()
    }

    #[test]
    fn order_and_chunks_do_not_matter_but_content_and_count_do() {
        let one = of(&["id,name\n1,\"a\nb\"\n2,c\n"]).unwrap();
        let other = of(&["id,na", "me\n2,c\n1,\"a", "\nb\"\n"]).unwrap();
        assert_eq!((one.rows, &one.digest), (2, &other.digest));
        assert_ne!(one.sha256, other.sha256);
        assert_ne!(one.digest, of(&["id,name\n1,\"a\nb\"\n2,d\n"]).unwrap().digest);
        assert_ne!(one.digest, of(&["id,name\n1,\"a\nb\"\n2,c\n2,c\n2,c\n"]).unwrap().digest);
    }

    #[test]
    fn a_stream_that_ends_inside_a_record_is_incomplete() {
        assert_eq!(of(&["id\n1\n2"]), None);
        assert_eq!(of(&["id\n\"1\n"]), None);
        assert_eq!(of(&["id\n"]).unwrap().rows, 0);
    }
}

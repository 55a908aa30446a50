//! A digest of CSV that does not depend on the order of the records.
//!
//! Each record is hashed with XXH3 (128 bits) and the hashes are added modulo 2^128; with the count this tells two tables
//! apart whatever order the servers return rows in, so neither has to sort. (XOR would not do: a record twice would
//! vanish.) The header record is not counted and not added. It finds what went wrong; against a forger there are the signed
//! SHA-256 sums of the files. Snapshots of earlier versions have SHA-256 here, added modulo 2^256, which costs several times as
//! much.

use super::records::Records;
use sha2::{Digest as _, Sha256};
use twox_hash::XxHash3_128;

/// What a digest of today's begins with.
const MARK: &str = "xxh3-";

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

/// Hashes, added.
#[derive(Clone)]
enum Sum {
    /// Modulo 2^128.
    Xxh3(u128),
    /// A number modulo 2^256, its lowest part first.
    Sha256([u64; 4]),
}

impl Default for Sum {
    fn default() -> Sum {
        Sum::Xxh3(0)
    }
}

impl Sum {
    fn add(&mut self, record: &[u8]) {
        match self {
            Sum::Xxh3(sum) => *sum = sum.wrapping_add(XxHash3_128::oneshot(record)),
            Sum::Sha256(limbs) => {
                let mut carry = false;
                for (limb, bytes) in limbs.iter_mut().zip(Sha256::digest(record).chunks_exact(8)) {
                    let mut word = [0; 8];
                    word.copy_from_slice(bytes);
                    let (partial, over) = limb.overflowing_add(u64::from_le_bytes(word));
                    let (total, over_again) = partial.overflowing_add(u64::from(carry));
                    (*limb, carry) = (total, over || over_again);
                }
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Sum::Xxh3(sum) => format!("{MARK}{sum:032x}"),
            Sum::Sha256(limbs) => super::hex(&limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect::<Vec<u8>>()),
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
    /// One that can be compared with `digest`, which may be of an earlier version.
    #[must_use]
    pub fn like(digest: &str) -> RecordDigest {
        let sum = if digest.starts_with(MARK) { Sum::default() } else { Sum::Sha256([0; 4]) };
        RecordDigest { sum, ..RecordDigest::default() }
    }

    /// The same, which hashes the stream as a whole too.
    #[must_use]
    pub fn and_whole(self) -> RecordDigest {
        RecordDigest { whole: Some(Sha256::new()), ..self }
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
            sum.add(record);
            *rows += 1;
            each(record);
        });
    }

    /// Whether the stream may end here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.records.complete()
    }

    /// Ends the stream. `None` when it ends inside a record: something is missing.
    #[must_use]
    pub fn finish(self) -> Option<Digested> {
        self.records.complete().then(|| Digested {
            rows: self.rows,
            bytes: self.bytes,
            sha256: self.whole.map(|whole| super::hex(&whole.finalize())).unwrap_or_default(),
            digest: self.sum.text(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = MARK;
    const OLD: &str = "";

    fn of(chunks: &[&str]) -> Option<Digested> {
        of_like(NEW, chunks)
    }

    fn of_like(like: &str, chunks: &[&str]) -> Option<Digested> {
        let mut digest = RecordDigest::like(like).and_whole();
        chunks.iter().for_each(|c| digest.update(c.as_bytes()));
        digest.finish()
    }

    #[test]
    fn order_and_chunks_do_not_matter_but_content_and_count_do() {
        for like in [NEW, OLD] {
            let one = of_like(like, &["id,name\n1,\"a\nb\"\n2,c\n"]).unwrap();
            let other = of_like(like, &["id,na", "me\n2,c\n1,\"a", "\nb\"\n"]).unwrap();
            assert_eq!((one.rows, &one.digest), (2, &other.digest));
            assert_ne!(one.sha256, other.sha256);
            assert_ne!(one.digest, of_like(like, &["id,name\n1,\"a\nb\"\n2,d\n"]).unwrap().digest);
            assert_ne!(one.digest, of_like(like, &["id,name\n1,\"a\nb\"\n2,c\n2,c\n2,c\n"]).unwrap().digest);
        }
    }

    #[test]
    fn the_digest_of_an_earlier_version_is_made_again() {
        // sha256sum of "1,a\n" and of "2,b\n"; their sum, lowest byte first.
        let old = "77739418a64fd9fdb4980a5b76bd4e6903b2146f442ff6ea99bf20feb054f159";
        assert_eq!(of_like(old, &["id,name\n1,a\n2,b\n"]).unwrap().digest, old);
        assert_eq!(of(&["id\n1\n"]).unwrap().digest, "xxh3-be573118fb47cf582ef3a1a12238c2e5");
    }

    #[test]
    fn a_stream_that_ends_inside_a_record_is_incomplete() {
        assert_eq!(of(&["id\n1\n2"]), None);
        assert_eq!(of(&["id\n\"1\n"]), None);
        assert_eq!(of(&["id\n"]).unwrap().rows, 0);
    }
}

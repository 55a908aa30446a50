//! A stream of CSV bytes, split into its records wherever its pieces end.

/// Hands out records; feed it pieces of any size.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// The record that has begun in an earlier piece.
    begun: Vec<u8>,
    quoted: bool,
    header_seen: bool,
}

impl Records {
    /// For a stream that has no header.
    #[must_use]
    pub fn after_header() -> Records {
        Records { header_seen: true, ..Records::default() }
    }

    /// Takes the next bytes. `each` gets every record that ends in them, with its newline, but not the header.
    pub fn push(&mut self, piece: &[u8], mut each: impl FnMut(&[u8])) {
        let mut start = 0;
        // A quote inside a quoted field is doubled, so toggling at every quote is right at every newline.
        for at in memchr::memchr2_iter(b'"', b'\n', piece) {
            if piece[at] == b'"' {
                self.quoted = !self.quoted;
                continue;
            }
            if self.quoted {
                continue;
            }
            let tail = &piece[start..=at];
            start = at + 1;
            if !std::mem::replace(&mut self.header_seen, true) {
                self.begun.clear();
            } else if self.begun.is_empty() {
                each(tail);
            } else {
                self.begun.extend_from_slice(tail);
                each(&self.begun);
                self.begun.clear();
            }
        }
        self.begun.extend_from_slice(&piece[start..]);
    }

    /// False while a record has begun and not ended: at the end of a stream something is missing then.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.begun.is_empty() && !self.quoted
    }
}

/// The field at `place` of a record, as it stands there: with its quotes, if it has any.
#[must_use]
pub fn field(record: &[u8], place: usize) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    let (mut start, mut passed, mut quoted) = (0, 0, false);
    for at in memchr::memchr2_iter(b'"', b',', record) {
        if record[at] == b'"' {
            quoted = !quoted;
        } else if !quoted {
            if passed == place {
                return &record[start..at];
            }
            passed += 1;
            start = at + 1;
        }
    }
    if passed == place { &record[start..] } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_wherever_pieces_end() {
        let text = b"id,t\n1,\"a\n\"\"b\"\n2,c\n";
        for size in 1..=text.len() {
            let (mut records, mut found) = (Records::default(), Vec::new());
            text.chunks(size).for_each(|piece| records.push(piece, |r| found.push(r.to_vec())));
            assert_eq!(found, [b"1,\"a\n\"\"b\"\n".to_vec(), b"2,c\n".to_vec()], "pieces of {size}");
            assert!(records.complete());
        }
    }

    #[test]
    fn a_stream_that_ends_inside_a_record_is_not_complete() {
        for text in ["id\n1\n2", "id\n\"1\n", "id"] {
            let mut records = Records::default();
            records.push(text.as_bytes(), |_| ());
            assert!(!records.complete(), "{text}");
        }
    }

    #[test]
    fn a_field_is_found_behind_commas_in_quotes() {
        let record = b"\"a,\"\"b\",,17,\"x\ny\"\n";
        let fields: Vec<_> = (0..5).map(|n| String::from_utf8_lossy(field(record, n)).into_owned()).collect();
        assert_eq!(fields, ["\"a,\"\"b\"", "", "17", "\"x\ny\"", ""]);
    }
}

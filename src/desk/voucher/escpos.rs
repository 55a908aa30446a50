//! For receipt printers: ESC/POS with GB18030, as printers sold in China take it.

use super::layout::{Printed, Weight};
use crate::error::{Error, Result};

const START: &[u8] = b"\x1b@\x1c&";
const PLAIN: &[u8] = b"\x1bE\x00\x1d!\x00\x1c!\x00";
const BOLD: &[u8] = b"\x1bE\x01";
/// Double height only: double width would no longer fit the line.
const TALL: &[u8] = b"\x1bE\x01\x1d!\x01\x1c!\x08";
const CUT: &[u8] = b"\n\n\n\x1dV\x42\x00";

/// The bytes for the printer. A character that GB18030 does not have is refused, not replaced.
pub fn encode(lines: &[Printed]) -> Result<Vec<u8>> {
    let mut bytes = START.to_vec();
    for line in lines {
        bytes.extend_from_slice(match line.weight {
            Weight::Plain => PLAIN,
            Weight::Bold => BOLD,
            Weight::Title => TALL,
        });
        let (text, _, lost) = encoding_rs::GB18030.encode(&line.text);
        if lost {
            return Err(Error::failed("print the voucher", "a character is not in GB18030"));
        }
        bytes.extend_from_slice(&text);
        bytes.extend_from_slice(PLAIN);
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(CUT);
    Ok(bytes)
}

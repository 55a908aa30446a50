//! Cells of CSV files that people open in a spreadsheet: none may be taken for a formula.

/// The text as it may stand in a cell: what begins as a formula does gets an apostrophe before it.
#[must_use]
pub fn guarded(text: &str) -> String {
    let number = || text.parse::<rust_decimal::Decimal>().is_ok();
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !number() { format!("'{text}") } else { text.to_owned() }
}

/// Takes the apostrophe of [`guarded`] off again.
#[must_use]
pub fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@', '\t', '\r'])).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_guarded_an_amount_is_not_and_both_come_back() {
        for (text, shown) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+8613800000000x", "'+8613800000000x"),
            ("-cmd", "'-cmd"),
            ("-12.50", "-12.50"),
            ("\tx", "'\tx"),
            ("张三", "张三"),
        ] {
            assert_eq!((guarded(text).as_str(), unguarded(&guarded(text))), (shown, text));
        }
        assert_eq!(unguarded("'quoted"), "'quoted");
    }
}

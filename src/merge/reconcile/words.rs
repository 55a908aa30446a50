//! Words of finance: in the site's language and for whoever reads English.

use rust_decimal::Decimal;

/// How this site's finance reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    chinese: bool,
}

impl Words {
    pub fn of(site: &crate::profile::Site) -> Words {
        Words { chinese: site.language == "zh-CN" }
    }

    /// `应回传 captured`, or only the English.
    pub fn both(self, english: &str, chinese: &str) -> String {
        if self.chinese { format!("{chinese} {english}") } else { english.to_owned() }
    }

    /// The same on two lines, for the head of a column.
    pub fn head(self, english: &str, chinese: &str) -> String {
        if self.chinese { format!("{chinese}\n{english}") } else { english.to_owned() }
    }
}

/// Cents at least, and no digit that says nothing more: `12.00`, `12.3456`.
pub fn amount(value: Decimal) -> String {
    let mut value = value.normalize();
    if value.scale() < 2 {
        value.rescale(2);
    }
    value.to_string()
}

/// The same of a text that may be an amount.
pub fn amount_text(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_cents_and_no_idle_digits() {
        for (given, shown) in
            [("0", "0.00"), ("12.3400", "12.34"), ("-0.5", "-0.50"), ("1.2345", "1.2345"), ("300", "300.00")]
        {
            assert_eq!(amount_text(given), shown);
        }
        assert_eq!(amount_text("CASH"), "CASH");
    }
}

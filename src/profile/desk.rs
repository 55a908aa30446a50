//! `[desk]`: how his-desk finds the database, and what it prints on.

use super::reader::Section;
use std::time::Duration;

/// What an 应急收费凭证 is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Paper {
    /// A roll of 58 mm, 32 columns
    #[value(name = "58mm")]
    Roll58,
    /// A roll of 80 mm, 48 columns
    #[value(name = "80mm")]
    Roll80,
    /// A continuous form, 80 columns
    Form,
    /// A page for a browser
    Html,
}

#[derive(Debug, Clone)]
pub struct Desk {
    /// The windows' own string, standby first.
    pub url: String,
    pub paper: Paper,
    /// A command that takes what is printed on its standard input; none: print to the file that is named.
    pub print: Option<String>,
    /// Warn when so few preprinted forms are left.
    pub low: i64,
    /// How long a window tries to come back after its connection was lost.
    pub patience: Duration,
}

pub(super) fn desk(mut s: Section) -> Desk {
    let desk = Desk {
        url: s.text("url").unwrap_or_else(|| "env:HIS_DESK_URL".to_owned()),
        paper: match s.choice("paper", &["80mm", "58mm", "form", "html"]) {
            "58mm" => Paper::Roll58,
            "form" => Paper::Form,
            "html" => Paper::Html,
            _ => Paper::Roll80,
        },
        print: s.text("print"),
        low: s.whole("low").unwrap_or(50),
        patience: s.duration("patience", Duration::from_secs(30)),
    };
    s.done();
    desk
}

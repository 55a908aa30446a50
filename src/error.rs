//! One error type for the whole toolkit: what could not be done, why, what to do now, and the exit code that says so.

use std::fmt;

/// The registry of exit codes (design, section 6). No program ends with any other number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Done, nothing left undone.
    Done = 0,
    /// Failed; nothing half-done is visible.
    Failed = 1,
    /// Wrong use, or a profile with an error.
    Usage = 2,
    /// Done, but something needs a person: held units, rejected slips, unbalanced totals, an unknown tail.
    NeedsPerson = 3,
    /// Refused for safety; the message names the flag or the step that resolves it.
    Refused = 4,
    /// A checksum, chain, count or signature does not hold; nothing was used from it.
    Damaged = 5,
    /// A database cannot be reached, or went away.
    Unreachable = 6,
    /// Another run of the same kind holds the lock.
    Locked = 7,
}

impl Exit {
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Of two exits that both apply, the one a script must see first: 2, 7, 6, 5, 4, 1, 3, then 0.
    #[must_use]
    pub fn worse(self, other: Exit) -> Exit {
        const ORDER: [Exit; 8] = [
            Exit::Usage,
            Exit::Locked,
            Exit::Unreachable,
            Exit::Damaged,
            Exit::Refused,
            Exit::Failed,
            Exit::NeedsPerson,
            Exit::Done,
        ];
        ORDER.into_iter().find(|e| *e == self || *e == other).unwrap_or(Exit::Failed)
    }
}

/// `cannot <doing>: <reason>`, then `HINT: <hint>`. Printed once, by [`crate::cli`].
#[derive(Debug)]
pub struct Error {
    exit: Exit,
    doing: String,
    reason: anyhow::Error,
    hint: Option<String>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// `doing` completes "cannot …" and names the thing in quotes: `load snapshot '2026…'`.
    pub fn new(exit: Exit, doing: impl Into<String>, reason: impl fmt::Display) -> Self {
        let (doing, reason) = (doing.into(), anyhow::anyhow!("{reason}"));
        Error { exit, doing, reason, hint: None }
    }

    pub fn failed(doing: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, doing, reason)
    }

    pub fn usage(doing: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, doing, reason)
    }

    pub fn refused(doing: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::new(Exit::Refused, doing, reason)
    }

    pub fn damaged(doing: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::new(Exit::Damaged, doing, reason)
    }

    pub fn unreachable(doing: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::new(Exit::Unreachable, doing, reason)
    }

    /// What a tired person should do now. A later hint replaces an earlier, more general one.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error told of a larger step; reason and hint stay.
    #[must_use]
    pub fn restated(mut self, doing: impl Into<String>) -> Self {
        self.doing = doing.into();
        self
    }

    /// Why, without what could not be done.
    #[must_use]
    pub fn reason(&self) -> String {
        format!("{:#}", self.reason)
    }

    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }

    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The hint; every error has one, so that no message ends without a next step.
    #[must_use]
    pub fn hint_text(&self) -> &str {
        self.hint.as_deref().unwrap_or(match self.exit {
            Exit::Done => "nothing to do.",
            Exit::Failed => "nothing half-done is left; mend the cause named above and run the same command again.",
            Exit::Usage => "see --help, and his.toml(5) for the profile.",
            Exit::NeedsPerson => "see `his-merge status` for what waits for a person.",
            Exit::Refused => "see `his-switch status`.",
            Exit::Damaged => {
                "nothing of it was used; take another copy (the mirror, or an offline copy) or make a new one."
            }
            Exit::Unreachable => "check that the server runs and can be reached, then run the same command again.",
            Exit::Locked => "wait for the other run to end, then run the same command again.",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {:#}", self.doing, self.reason)
    }
}

impl std::error::Error for Error {}

/// Turns a foreign error into ours, saying what could not be done.
pub trait Cannot<T> {
    /// `doing` completes "cannot …" and names the thing in quotes.
    fn cannot(self, doing: impl Into<String>) -> Result<T>;
}

impl<T, E: Reason> Cannot<T> for std::result::Result<T, E> {
    fn cannot(self, doing: impl Into<String>) -> Result<T> {
        self.map_err(|e| {
            let (exit, reason, hint) = e.reason();
            let error = Error::new(exit, doing, reason);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    }
}

/// How an error of a library reads to our users: exit code, reason, hint.
pub trait Reason {
    fn reason(&self) -> (Exit, String, Option<&'static str>);
}

impl Reason for std::io::Error {
    fn reason(&self) -> (Exit, String, Option<&'static str>) {
        use std::io::ErrorKind as K;
        let hint = match self.kind() {
            K::StorageFull | K::QuotaExceeded => Some(
                "the disk is full; nothing old was touched. Free space (his-snapshot prune), then run the same command again.",
            ),
            K::PermissionDenied => Some("check owner and mode of the path, and which user runs this program."),
            K::ReadOnlyFilesystem => Some("the file system is read-only; remount it or move [store] dir."),
            _ => None,
        };
        (Exit::Failed, self.to_string(), hint)
    }
}

impl Reason for serde_json::Error {
    fn reason(&self) -> (Exit, String, Option<&'static str>) {
        (Exit::Damaged, self.to_string(), None)
    }
}

impl Reason for csv::Error {
    fn reason(&self) -> (Exit, String, Option<&'static str>) {
        (Exit::Damaged, self.to_string(), None)
    }
}

impl Reason for minijinja::Error {
    fn reason(&self) -> (Exit, String, Option<&'static str>) {
        (Exit::Failed, format!("{self:#}"), None)
    }
}

impl Reason for tokio_postgres::Error {
    fn reason(&self) -> (Exit, String, Option<&'static str>) {
        crate::db::reason::of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_exits_the_one_named_first_in_the_contract_wins() {
        assert_eq!(Exit::NeedsPerson.worse(Exit::Damaged), Exit::Damaged);
        assert_eq!(Exit::Usage.worse(Exit::Locked), Exit::Usage);
        assert_eq!(Exit::Done.worse(Exit::NeedsPerson), Exit::NeedsPerson);
        assert_eq!(Exit::Failed.worse(Exit::Refused), Exit::Refused);
    }
}

//! The line of a window to whichever database it is to work on: the windows' own string, standby first. It comes back by
//! itself, logs in again, and asks the same request again, so that nobody is left in doubt whether a charge went through.

use super::act::Act;
use crate::db::Client;
use crate::db::{Windows, reason};
use crate::error::{Error, Exit, Result};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;

/// Where the window stands: the banner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The event, on an open standby; none on the primary.
    pub event: Option<String>,
    pub data_until: Option<DateTime<Utc>>,
    pub drill: bool,
}

/// Who works at the window.
#[derive(Debug, Clone)]
pub struct Cashier {
    pub staff_no: String,
    pub secret: String,
    pub window: String,
}

/// How one attempt ended.
enum Attempt {
    Answer(Value),
    /// The connection, or the database behind it, is not the right one any more: find it anew and ask again.
    Lost(String),
    LoginNeeded,
    /// Another window was in the way for a moment.
    Again(String),
    Refused(Error),
}

/// A window's connection.
pub struct Line {
    windows: Windows,
    patience: Duration,
    english: bool,
    client: Option<Client>,
    cashier: Option<Cashier>,
    session: Option<String>,
    pub standing: Standing,
    /// What the last login said: name, shift, forms left.
    pub login: Map<String, Value>,
    /// How often the line was found anew since it began.
    pub found_anew: u32,
    trouble: Option<Trouble>,
}

/// Told while the line is lost, each time that it was sought in vain.
type Trouble = Box<dyn FnMut(&str) + Send>;

/// How long a server may take for one act before it counts as hung.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// Between two attempts to come back.
const PAUSE: Duration = Duration::from_millis(200);

impl Line {
    #[must_use]
    pub fn new(windows: Windows, patience: Duration, english: bool) -> Line {
        Line {
            windows,
            patience,
            english,
            client: None,
            cashier: None,
            session: None,
            standing: Standing::default(),
            login: Map::new(),
            found_anew: 0,
            trouble: None,
        }
    }

    /// Tells somebody while the line is lost.
    pub fn on_trouble(&mut self, tell: impl FnMut(&str) + Send + 'static) {
        self.trouble = Some(Box::new(tell));
    }

    /// Logs in; from now on the line logs in by itself wherever it comes back.
    pub fn log_in(&mut self, cashier: Cashier) -> Result<()> {
        self.cashier = Some(cashier);
        self.session = None;
        let done = self.persist("log in", Line::begin);
        if done.is_err() {
            self.cashier = None;
        }
        done.map(|_| ())
    }

    /// Asks the database for one act. What changes something bears a request id of its own, given here when the ask has none,
    /// so that asking again after a lost answer cannot do it twice.
    pub fn ask(&mut self, act: Act, ask: &Value) -> Result<Value> {
        let mut ask = ask.as_object().cloned().unwrap_or_default();
        if act.changes() && !ask.contains_key("request") {
            ask.insert("request".to_owned(), json!(uuid::Uuid::new_v4().to_string()));
        }
        let doing = format!("do '{}'", act.name());
        self.persist(&doing, |line| match line.begin() {
            Attempt::Answer(_) => line.once(act, &ask),
            other => other,
        })
        .map_err(|e| match (e.exit(), ask.get("request").and_then(Value::as_str)) {
            (Exit::Unreachable, Some(id)) => e.hint(format!(
                "whether it was done is not known; once the line is back, the same with --request {id} does it once and no more."
            )),
            _ => e,
        })
    }

    /// Tries until it is done, refused, or patience ends.
    fn persist(&mut self, doing: &str, mut attempt: impl FnMut(&mut Line) -> Attempt) -> Result<Value> {
        let began = Instant::now();
        loop {
            let why = match attempt(self) {
                Attempt::Answer(answer) => return Ok(answer),
                Attempt::Refused(error) => return Err(error.restated(doing)),
                Attempt::Again(why) => why,
                Attempt::LoginNeeded => {
                    self.session = None;
                    "the login is not known there".to_owned()
                }
                Attempt::Lost(why) => {
                    self.client = None;
                    self.session = None;
                    if let Some(tell) = &mut self.trouble {
                        tell(&why);
                    }
                    why
                }
            };
            if began.elapsed() >= self.patience {
                return Err(Error::unreachable(doing, why).hint(
                    "look whether the network cable is in; IT sees with his-switch status where the windows are to be.",
                ));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Connected and logged in.
    fn begin(&mut self) -> Attempt {
        if self.client.is_none() {
            // By this the report of an event tells the windows apart.
            let window = self.cashier.as_ref().map_or("", |c| c.window.as_str());
            match self.windows.connect(format!("his-desk {window}").trim()) {
                Ok(client) => self.client = Some(client),
                Err(e) if e.exit() == Exit::Unreachable => return Attempt::Lost(e.reason()),
                Err(e) => return Attempt::Refused(e),
            }
            self.found_anew += 1;
        }
        let Some(cashier) = self.cashier.clone().filter(|_| self.session.is_none()) else {
            return Attempt::Answer(Value::Null);
        };
        let ask = json!({ "staff_no": cashier.staff_no, "secret": cashier.secret, "window": cashier.window });
        match self.once(Act::Login, ask.as_object().unwrap_or(&Map::new())) {
            Attempt::Answer(Value::Object(login)) => {
                self.session = login.get("session").and_then(Value::as_str).map(str::to_owned);
                self.standing = standing(&login);
                self.login = login;
                Attempt::Answer(Value::Null)
            }
            other => other,
        }
    }

    /// One act, one statement, one transaction.
    fn once(&mut self, act: Act, ask: &Map<String, Value>) -> Attempt {
        let Some(mut client) = self.client.take() else { return Attempt::Lost("no connection".to_owned()) };
        let mut ask = ask.clone();
        if let Some(session) = &self.session {
            ask.insert("session".to_owned(), json!(session));
        }
        let (statement, text) = (act.statement(), Value::Object(ask).to_string());
        let answered = crate::db::within(ANSWER_LIMIT, move || {
            let result = client.query_one(&statement, &[&text]).map(|row| row.get::<_, String>(0));
            (client, result)
        });
        let Some((client, result)) = answered else {
            return Attempt::Lost(format!("no answer within {} s", ANSWER_LIMIT.as_secs()));
        };
        match result {
            Ok(text) => {
                self.client = Some(client);
                match serde_json::from_str(&text) {
                    Ok(answer) => Attempt::Answer(answer),
                    Err(e) => Attempt::Refused(Error::failed("read the answer", e)),
                }
            }
            Err(error) => {
                let refusal = self.judge(act, &error);
                if !matches!(refusal, Attempt::Lost(_)) {
                    self.client = Some(client);
                }
                refusal
            }
        }
    }

    fn judge(&self, act: Act, error: &tokio_postgres::Error) -> Attempt {
        let (exit, why, hint) = reason::of(error);
        let Some(db) = error.as_db_error() else { return Attempt::Lost(why) };
        match db.code() {
            _ if exit == Exit::Unreachable => Attempt::Lost(why),
            // The standby closed, or was never open: the windows' string leads to the right one.
            code if code.code() == reason::GATE => Attempt::Lost(why),
            &SqlState::READ_ONLY_SQL_TRANSACTION => Attempt::Lost(why),
            // Asked again with the same request.
            &(SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED | SqlState::LOCK_NOT_AVAILABLE) => {
                Attempt::Again(why)
            }
            code if code.code() == "HD401" && self.cashier.is_some() && act != Act::Login => Attempt::LoginNeeded,
            code if code.code().starts_with("HD") => {
                let exit = if code.code() == "HD400" { Exit::Usage } else { Exit::Refused };
                Attempt::Refused(Error::new(exit, act.name(), said(db.message(), self.english)).hint(hint_of(exit)))
            }
            &(SqlState::UNDEFINED_FUNCTION | SqlState::INVALID_SCHEMA_NAME) => Attempt::Refused(
                Error::usage(act.name(), why)
                    .hint("load the site's desk contract on the primary (his-desk(5); samples/his/desk is an example); the next snapshot and load bring it to the standby."),
            ),
            _ => {
                let error = Error::new(exit, act.name(), why);
                Attempt::Refused(if let Some(hint) = hint { error.hint(hint) } else { error })
            }
        }
    }
}

fn hint_of(exit: Exit) -> &'static str {
    if exit == Exit::Usage { "see his-desk --help." } else { "nothing was changed; mend the cause and do it again." }
}

/// The half of a '中文 | English' message that this window shows.
fn said(message: &str, english: bool) -> String {
    match message.split_once(" | ") {
        Some((_, text)) if english => text.to_owned(),
        Some((text, _)) => text.to_owned(),
        None => message.to_owned(),
    }
}

fn standing(login: &Map<String, Value>) -> Standing {
    let text = |key: &str| login.get(key).and_then(Value::as_str);
    Standing {
        event: text("event").map(str::to_owned),
        data_until: text("data_until").and_then(|t| DateTime::parse_from_rfc3339(t).ok()).map(|t| t.to_utc()),
        drill: login.get("drill").and_then(Value::as_bool).unwrap_or(false),
    }
}

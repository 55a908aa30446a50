//! The line in a thread of its own, so that the screen goes on while the database is sought.

use super::super::act::Act;
use super::super::line::{Cashier, Line, Standing};
use super::super::voucher;
use crate::error::Error;
use crate::profile::Profile;
use serde_json::{Map, Value};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What the screen wants.
pub enum Job {
    LogIn(Cashier),
    Ask(Act, Value),
    Print(i64),
}

/// What the screen hears.
pub enum News {
    /// The line is lost and being sought.
    Trouble(String),
    LoggedIn(Result<Map<String, Value>, Error>),
    Answer(Act, Result<Value, Error>),
    Printed(Result<(), Error>),
    /// Where the window stands now; after every answer, for it may have come back elsewhere.
    Standing(Standing),
}

pub struct Worker {
    pub jobs: Sender<Job>,
    pub news: Receiver<News>,
}

/// Starts it.
pub fn start(profile: Profile, mut line: Line) -> Worker {
    let (jobs, wanted) = channel::<Job>();
    let (say, news) = channel::<News>();
    let trouble = say.clone();
    line.on_trouble(move |why| {
        let _ = trouble.send(News::Trouble(why.to_owned()));
    });
    std::thread::spawn(move || {
        for job in wanted {
            let told = match job {
                Job::LogIn(cashier) => News::LoggedIn(line.log_in(cashier).map(|()| line.login.clone())),
                Job::Ask(act, ask) => News::Answer(act, line.ask(act, &ask)),
                Job::Print(charge) => {
                    News::Printed(voucher::print(&profile, &mut line, charge, None, None).map(|_| ()))
                }
            };
            // The screen has closed: nobody waits any more.
            if say.send(News::Standing(line.standing.clone())).is_err() || say.send(told).is_err() {
                return;
            }
        }
    });
    Worker { jobs, news }
}

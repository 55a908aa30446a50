//! The full screen of a window: keyboard only, Chinese or English, usable at 80 columns by 24 lines.

mod app;
mod draw;
mod flow;
mod more;
mod pages;
mod stage;
mod till;
mod worker;

use super::line::Line;
use crate::cli::Outcome;
use crate::error::{Cannot, Error, Result};
use crate::profile::Profile;
use app::App;
use crossterm::event::{self, Event, KeyEventKind};
use serde_json::json;
use std::io::IsTerminal;
use std::time::Duration;

/// Between two looks at the keyboard and at the line.
const TICK: Duration = Duration::from_millis(30);

/// Runs until the cashier leaves. `staff` and `window` are filled in when they are known.
pub fn run(profile: &Profile, line: Line, staff: Option<&str>, window: Option<&str>) -> Result<Outcome> {
    let doing = "open the screen";
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(Error::usage(doing, "this is no terminal")
            .hint("open it in a terminal, or use a subcommand; see his-desk --help."));
    }
    let worker = worker::start(profile.clone(), line);
    let mut app = App::new(profile, worker, staff, window);
    let mut terminal = ratatui::try_init().cannot(doing)?;
    let ended = (|| {
        while !app.over {
            terminal.draw(|frame| draw::screen(&app, frame)).cannot("draw the screen")?;
            if event::poll(TICK).cannot("read the keyboard")? {
                // Drained before the next drawing: a scanner types faster than a screen is drawn.
                while event::poll(Duration::ZERO).cannot("read the keyboard")? {
                    if let Event::Key(key) = event::read().cannot("read the keyboard")?
                        && key.kind == KeyEventKind::Press
                    {
                        app.key(key);
                    }
                    app.hear();
                    if app.is_waiting() {
                        break;
                    }
                }
            }
            app.hear();
        }
        Ok(())
    })();
    ratatui::restore();
    ended.map(|()| Outcome::new(json!({ "left": true }), ""))
}

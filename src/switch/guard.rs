//! A small process that a move leaves behind while the fence is waiting: it fences a primary in the moment in which it
//! comes back by itself. Cron's export does the same, a minute later; this one is there already.

use super::fence::{self, Wanted};
use super::{moves, ours};
use crate::cli::Site;
use crate::error::{Exit, Result};
use crate::store::FenceState;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

/// How often it looks for an answer, and whether the fence is still wanted.
const LOOK: Duration = Duration::from_millis(250);
/// A primary that refuses connections is asked again after this time.
const ASK_REFUSED_AGAIN: Duration = Duration::from_secs(1);
/// A primary that says nothing at all is asked again after this time: the old question may be lost with its line. The
/// old one is still listened to, because a frozen server answers the first when it thaws.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// Questions that may be waiting for an answer at once.
const ASKED_AT_ONCE: usize = 4;

/// Starts the guard; that it could not be started is only worth a warning, because cron's export does its work too.
pub fn leave_behind(site: &Site) {
    let started = std::env::current_exe().and_then(|program| {
        Command::new(program)
            .args(["fence", "--when-it-answers", "--quiet", "--by", &site.by, "--config"])
            .arg(&site.profile.path)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Away from the shell that gave the command: its end is not the guard's.
            .process_group(0)
            .spawn()
    });
    if let Err(e) = started {
        site.talk.warn(format!("the guard that fences the primary at first contact cannot be started ({e}); his-export-queue, run each minute, does it"));
    }
}

/// Waits until the primary answers and fences it; ends as soon as no fence is waiting any more.
pub fn run(site: &Site) -> Result<Option<fence::Put>> {
    let lock = site.store.dir().join("locks").join("guard.lock");
    let Ok(file) = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(&lock) else {
        return Ok(None);
    };
    if file.try_lock().is_err() {
        // One guard is enough.
        return Ok(None);
    }
    let mut asked: Option<Instant> = None;
    let mut questions: Vec<Receiver<Result<Option<fence::Put>>>> = Vec::new();
    loop {
        // A store that was taken away is nobody's any more.
        if !lock.exists() || site.store.state()?.fence != FenceState::Pending {
            return Ok(None);
        }
        let pause = if questions.is_empty() { ASK_REFUSED_AGAIN } else { ASK_AGAIN };
        if asked.is_none_or(|at| at.elapsed() > pause) && questions.len() < ASKED_AT_ONCE {
            asked = Some(Instant::now());
            questions.push(ask(site)?);
        }
        let mut answered = None;
        questions.retain(|question| match question.try_recv() {
            Ok(answer) => {
                answered = Some(answer);
                false
            }
            Err(e) => e == TryRecvError::Empty,
        });
        match answered {
            Some(Ok(None)) => return Ok(None),
            Some(Ok(Some(put))) => {
                moves::fenced_at_first_contact(site, &put)?;
                return Ok(Some(put));
            }
            // Not there yet, or there and refusing: asked again in a moment.
            Some(Err(e)) if e.exit() != Exit::Unreachable => log::info!("{e}"),
            _ => {}
        }
        std::thread::sleep(LOOK);
    }
}

/// Asks in a thread of its own, which waits as long as the server keeps it waiting.
fn ask(site: &Site) -> Result<Receiver<Result<Option<fence::Put>>>> {
    let (send, receive) = channel();
    let event = site.store.state()?.event.map(|e| e.id);
    let (server, store) = (site.profile.primary()?.named(ours::PROGRAM), site.store.clone());
    if let Some(wanted) = Wanted::of(&site.profile, event.as_deref(), &site.by)? {
        std::thread::spawn(move || {
            let limit = Duration::from_secs(3600);
            let put = server
                .connect_within(server.database(), limit)
                .and_then(|mut client| fence::put_on(&mut client, &wanted, || fence::is_pending(&store)));
            let _ = send.send(put);
        });
    }
    Ok(receive)
}

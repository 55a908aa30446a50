//! `script`: acts as JSON, one a line, answered one a line; what drives a window that no person sits at.

use super::act::Act;
use super::line::Line;
use crate::cli::Outcome;
use crate::error::{Cannot, Error, Exit, Result};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

/// Reads to the end. What is refused is answered so, and the rest goes on; the exit code says that something was.
pub fn run(line: &mut Line, file: Option<&Path>) -> Result<Outcome> {
    let input: Box<dyn BufRead> = match file {
        Some(path) => {
            let file = std::fs::File::open(path).cannot(format!("read the script '{}'", path.display()))?;
            Box::new(BufReader::new(file))
        }
        None => Box::new(std::io::stdin().lock()),
    };
    let (mut done, mut refused) = (0_u64, 0_u64);
    for (number, text) in (1_u64..).zip(input.lines()) {
        let text = text.cannot("read the script")?;
        if text.trim().is_empty() {
            continue;
        }
        let answer = match one(line, &text, number) {
            Ok(answer) => {
                done += 1;
                json!({ "ok": true, "answer": answer })
            }
            // Whether it was done is not known, so what follows must not go on as if it were.
            Err(e) if e.exit() == Exit::Unreachable => return Err(e),
            Err(e) => {
                refused += 1;
                json!({ "ok": false, "error": e.reason(), "exit": e.exit().code() })
            }
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}").and_then(|()| out.flush()).cannot("print the answer")?;
    }
    let exit = if refused > 0 { Exit::NeedsPerson } else { Exit::Done };
    let json = json!({ "done": done, "refused": refused, "found_anew": line.found_anew.saturating_sub(1) });
    Ok(Outcome::new(json.clone(), json.to_string()).exit(exit))
}

fn one(line: &mut Line, text: &str, number: u64) -> Result<Value> {
    let doing = || format!("do line {number} of the script");
    let ask: Value = serde_json::from_str(text).map_err(|e| Error::usage(doing(), format!("it is not JSON ({e})")))?;
    let name = ask.get("act").and_then(Value::as_str).unwrap_or_default();
    let act = Act::named(name).filter(|a| *a != Act::Login).ok_or_else(|| {
        Error::usage(doing(), format!("there is no act '{name}'"))
            .hint("each line is an object with \"act\" and what the act wants; his-desk(5) lists the acts.")
    })?;
    let mut ask = ask;
    if let Some(fields) = ask.as_object_mut() {
        fields.remove("act");
    }
    line.ask(act, &ask)
}

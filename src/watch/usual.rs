//! How fast the primary usually answers, and whether today is different.

use super::memory::Memory;
use super::probe::Answer;
use super::{Measure, Sheet, State, Unit};
use crate::cli::Site;

/// So many answers are remembered: at one a minute, the last two hours.
const KEPT: usize = 120;

/// Before so many nothing is usual.
const ENOUGH: usize = 5;

/// Slow is so many times the usual, and never below [`LEAST`].
const TIMES: f64 = 5.0;

/// Seconds below which nobody at a window feels anything.
const LEAST: f64 = 0.2;

/// Compares the primary's answer with its usual one, and remembers it. A slow answer is remembered too: what stays slow
/// becomes usual within hours, after somebody was told for hours.
pub(super) fn answer_time(site: &Site, sheet: &mut Sheet, answer: &Answer) {
    let mut memory = Memory::read(site);
    let Some(seconds) = answer.seconds() else {
        sheet.add("primary-time", State::Unknown, "the primary does not answer");
        return;
    };
    let usual = median(&memory.primary_answers);
    let measure = Measure::new("primary_answer_seconds", Unit::Seconds, seconds);
    match usual.filter(|_| memory.primary_answers.len() >= ENOUGH) {
        None => {
            let text = format!("{:.0} ms; what is usual is not known yet", seconds * 1000.0);
            sheet.add("primary-time", State::Ok, text).measures([measure]);
        }
        Some(usual) => {
            let measure = measure.above(Some((usual * TIMES).max(LEAST)), None);
            let text = format!("{:.0} ms (usually {:.0} ms)", seconds * 1000.0, usual * 1000.0);
            sheet
                .add("primary-time", measure.state(), text)
                .hint("the HIS is slow: warn the windows (his-incident warn), look at locks and disk of the primary.")
                .measures([measure]);
        }
    }
    memory.primary_answers.push(seconds);
    let surplus = memory.primary_answers.len().saturating_sub(KEPT);
    memory.primary_answers.drain(..surplus);
    memory.write(site);
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

//! What a move will do, in words. A dry run prints it and stops; a real run prints it and carries it out.

use crate::cli::{Outcome, Talk};
use crate::store::{Mode, State};
use serde_json::json;

/// Steps in the order in which they are done, and what a person should know before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    title: String,
    pub notes: Vec<String>,
    pub steps: Vec<String>,
}

impl Plan {
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Plan { title: title.into(), ..Plan::default() }
    }

    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    pub fn step(&mut self, text: impl Into<String>) {
        self.steps.push(text.into());
    }

    /// The plan as it is printed.
    #[must_use]
    pub fn text(&self) -> String {
        let notes = self.notes.iter().map(|n| format!("  {n}"));
        let steps = (1..).zip(&self.steps).map(|(number, s)| format!("  {number}. {s}"));
        std::iter::once(format!("PLAN: {}", self.title)).chain(notes).chain(steps).collect::<Vec<_>>().join("\n")
    }

    /// Tells the plan before it is carried out.
    pub fn say(&self, talk: &Talk) {
        talk.say(self.text());
    }

    /// What a dry run ends with; nothing was changed.
    #[must_use]
    pub fn dry_run(&self, state: &State, to: Mode) -> Outcome {
        let json = json!({
            "mode": state.mode, "event": state.event.as_ref().map(|e| &e.id), "seconds": 0.0, "dry_run": true, "to": to,
            "plan": self.steps, "notes": self.notes,
        });
        Outcome::new(json, format!("{}\nnothing was changed (dry run)", self.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_and_notes_stand_before_them() {
        let mut plan = Plan::new("open the standby");
        plan.step("fence the primary");
        plan.note("data until 09:45");
        plan.step("open the gate");
        assert_eq!(
            plan.text(),
            "PLAN: open the standby\n  data until 09:45\n  1. fence the primary\n  2. open the gate"
        );
    }
}

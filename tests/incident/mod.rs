//! `his-incident`, from outside: the plan carried out, the log, notices, the report.

mod log;
mod notices;
mod plan;
mod report;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::switch::Hospital;

/// The sample plan's folder.
pub fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/plan")
}

/// A hospital with the sample plan beside its profile.
pub fn hospital() -> Hospital {
    let mut hospital = Hospital::new();
    for file in ["plan.toml", "levels-four.toml", "levels-three.toml"] {
        fs::copy(sample().join(file), hospital.work.path().join(file)).unwrap();
    }
    hospital.work.set("plan", "file", "\"plan.toml\"");
    hospital
}

/// Runs it; gives its JSON.
#[track_caller]
pub fn incident(hospital: &Hospital, code: i32, args: &[&str]) -> Value {
    hospital.work.json(code, "his-incident", args)
}

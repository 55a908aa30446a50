mod circle;
mod export;
mod harness;
mod merge;
mod opened;
mod snapshot;
mod support;
mod triggers;

mod circle;
mod harness;
mod merge;
mod opened;
mod support;
mod triggers;

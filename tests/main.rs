mod circle;
mod export;
mod harness;
mod merge;
mod opened;
mod support;
mod triggers;

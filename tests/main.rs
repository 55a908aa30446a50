mod circle;
mod gate;
mod harness;
mod load;
mod merge;
mod opened;
mod support;
mod triggers;

mod harness;
mod snapshot;
mod support;

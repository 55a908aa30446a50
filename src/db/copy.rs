//! COPY of a session in both directions, in blocks of many rows.

use super::session::Wire;
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use std::io::{self, Read, Write};
use std::pin::Pin;
use tokio_postgres::{CopyInSink, CopyOutStream, Error};

/// Bytes that are read or sent at once.
pub const BLOCK: usize = 1 << 18;

/// What a COPY sends. Dropping it before its end leaves the rest for the session to skip, which reads all of it.
pub struct CopyOut<'a> {
    wire: &'a mut Wire,
    stream: Pin<Box<CopyOutStream>>,
    /// Read and not yet taken.
    block: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl<'a> CopyOut<'a> {
    pub(super) fn new(wire: &'a mut Wire, stream: CopyOutStream) -> CopyOut<'a> {
        CopyOut { wire, stream: Box::pin(stream), block: Vec::new(), taken: 0, ended: false }
    }

    /// The next rows, about [`BLOCK`] bytes of them; `None` after the last.
    pub fn block(&mut self) -> Result<Option<Vec<u8>>, Error> {
        // The driver's stream must not be asked again after its end.
        if self.ended {
            return Ok(None);
        }
        let mut block = Vec::with_capacity(BLOCK + BLOCK / 8);
        let stream = &mut self.stream;
        self.ended = self.wire.wait(async {
            while block.len() < BLOCK {
                match stream.next().await {
                    Some(rows) => block.extend_from_slice(&rows?),
                    None => return Ok(true),
                }
            }
            Ok(false)
        })?;
        Ok((!block.is_empty()).then_some(block))
    }
}

impl Read for CopyOut<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.len() {
            self.taken = 0;
            self.block = self.block().map_err(io::Error::other)?.unwrap_or_default();
        }
        let read = (&self.block[self.taken..]).read(to)?;
        self.taken += read;
        Ok(read)
    }
}

/// What a COPY takes. It must be finished; else the server forgets what it was sent.
pub struct CopyIn<'a> {
    wire: &'a mut Wire,
    sink: Pin<Box<CopyInSink<Bytes>>>,
    waiting: BytesMut,
}

impl<'a> CopyIn<'a> {
    pub(super) fn new(wire: &'a mut Wire, sink: CopyInSink<Bytes>) -> CopyIn<'a> {
        CopyIn { wire, sink: Box::pin(sink), waiting: BytesMut::new() }
    }

    /// Ends it well; gives the number of rows.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.send()?;
        self.wire.wait(self.sink.as_mut().finish())
    }

    fn send(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let block = self.waiting.split().freeze();
        self.wire.wait(self.sink.send(block))
    }
}

impl Write for CopyIn<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(from);
        if self.waiting.len() >= BLOCK {
            self.flush()?;
        }
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send().map_err(io::Error::other)
    }
}

//! The socket of a connection, watched for a client that takes no bytes.

use std::{
    io::{Error, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{activity::Activity, table::Slot};

pub(crate) struct TrackedStream {
    socket: TokioIo<TcpStream>,
    activity: Arc<Activity>,
    /// One that was upgraded outlives its requests, and its place with it.
    _slot: Arc<Slot>,
}

impl TrackedStream {
    pub(crate) fn new(socket: TcpStream, slot: &Arc<Slot>) -> TrackedStream {
        TrackedStream {
            socket: TokioIo::new(socket),
            activity: Arc::clone(&slot.activity),
            _slot: Arc::clone(slot),
        }
    }

    fn noted<T>(&self, written: Poll<T>) -> Poll<T> {
        self.activity.writes(written.is_pending());
        written
    }
}

impl Read for TrackedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl Write for TrackedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.noted(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, parts);
        self.noted(written)
    }
}

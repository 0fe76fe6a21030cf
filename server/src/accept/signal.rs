//! An order that one task waits for, such as to close a connection.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use futures::task::AtomicWaker;

/// An order to end something. At most one task waits for it at a time.
#[derive(Debug, Default)]
pub struct Signal {
    is_given: AtomicBool,
    waiting: AtomicWaker,
}

impl Signal {
    /// Gives the order.
    pub fn give(&self) {
        self.is_given.store(true, Ordering::Release);
        self.waiting.wake();
    }

    /// Whether the order was given.
    pub fn is_given(&self) -> bool {
        self.is_given.load(Ordering::Acquire)
    }

    /// Whether the order was given. If not, the task is woken when it is.
    pub fn poll(&self, context: &Context<'_>) -> Poll<()> {
        self.waiting.register(context.waker());
        if self.is_given() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits for the order.
    pub async fn given(&self) {
        poll_fn(|context| self.poll(context)).await;
    }
}

/// Closes the connection of a request at once, even if its client doesn't read. What wasn't sent yet is dropped.
#[derive(Clone, Debug)]
pub struct Abort(pub Arc<Signal>);

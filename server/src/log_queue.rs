//! The log's queue: a thread writes what the server logs, so that a reader that stalls, or a disk that hangs, delays no
//! request. If the queue is full, entries are lost; they are counted, and the log says so once it can be written again.
//!
//! `tracing-appender` isn't used: when its queue is full at exit, it prints to standard output, which is often the same
//! stalled pipe.

use std::{
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// How much of the log may wait to be written, in bytes. As much again may be in the hands of the thread that writes.
const CAPACITY: usize = 4 * 1_024 * 1_024;
/// The memory that the thread keeps after it has written a large part, in bytes.
const KEPT: usize = 64 * 1_024;

/// The queue of the process, if it has one.
static OF_PROCESS: OnceLock<LogQueue> = OnceLock::new();

/// A queue of log entries. Each call of `write` adds a whole entry. Clones share the queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Tells the thread that writes that there is something to write.
    filled: Condvar,
    /// Tells those who flush that everything has been written.
    emptied: Condvar,
    lost: AtomicU64,
}

/// What hasn't been written yet.
#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    entries: u64,
    /// Whether the thread is writing what it took out of the queue.
    is_writing: bool,
}

impl LogQueue {
    /// Starts the queue of the process, which writes to standard error.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start() -> io::Result<Self> {
        let queue = Self::default();
        let (writing, out) = (queue.clone(), standard_error());
        let report = |lost| {
            tracing::warn!(lost, "log entries were lost, because the log couldn't be written, or not fast enough");
        };
        thread::Builder::new().name("log".to_owned()).spawn(move || writing.write_to(out, report))?;
        OF_PROCESS.set(queue.clone()).ok();
        Ok(queue)
    }

    /// Writes what is added, until the process ends. `report` is told how many entries have been lost since the start,
    /// whenever an entry could be written after others were lost.
    fn write_to(&self, mut out: impl Write, report: impl Fn(u64)) {
        let (mut batch, mut reported) = (Vec::new(), 0);
        loop {
            let entries = self.take(&mut batch);
            if out.write_all(&batch).and_then(|()| out.flush()).is_err() {
                self.0.lost.fetch_add(entries, Ordering::Relaxed);
            } else {
                let lost = self.lost();
                if lost > reported {
                    reported = lost;
                    report(lost);
                }
            }
            batch.clear();
            batch.shrink_to(KEPT);
            self.waiting().is_writing = false;
            self.0.emptied.notify_all();
        }
    }

    /// Waits until there is something to write, and moves it to `batch`. Returns the number of entries.
    fn take(&self, batch: &mut Vec<u8>) -> u64 {
        let waiting = self.0.filled.wait_while(self.waiting(), |waiting| waiting.bytes.is_empty());
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.bytes, batch);
        waiting.is_writing = true;
        std::mem::take(&mut waiting.entries)
    }

    /// Waits until everything has been written, at most for a time.
    fn flush_within(&self, limit: Duration) {
        let is_unwritten = |waiting: &mut Waiting| waiting.is_writing || !waiting.bytes.is_empty();
        drop(self.0.emptied.wait_timeout_while(self.waiting(), limit, is_unwritten));
    }

    fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for LogQueue {
    /// Adds an entry. Never waits for the thread that writes.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let mut waiting = self.waiting();
        if waiting.bytes.len() + entry.len() > CAPACITY {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
            return Ok(entry.len());
        }
        let was_empty = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(entry);
        waiting.entries += 1;
        drop(waiting);
        if was_empty {
            self.0.filled.notify_one();
        }
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until the log of the process has been written, at most for a time.
pub(crate) fn flush(limit: Duration) {
    if let Some(queue) = OF_PROCESS.get() {
        queue.flush_within(limit);
    }
}

/// Returns the number of log entries of the process that were lost.
pub(crate) fn lost() -> u64 {
    OF_PROCESS.get().map_or(0, LogQueue::lost)
}

/// Returns standard error without Rust's lock: while one thread waits in it for the reader, no other one could pass.
#[cfg(unix)]
fn standard_error() -> Box<dyn Write + Send> {
    use std::os::fd::AsFd;
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(std::fs::File::from(descriptor)),
        Err(_) => Box::new(io::stderr()),
    }
}

#[cfg(not(unix))]
fn standard_error() -> Box<dyn Write + Send> {
    Box::new(io::stderr())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Hands over what it is given, and then waits for the result.
    struct Reader {
        written: Sender<Vec<u8>>,
        results: Receiver<io::Result<()>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written.send(bytes.to_vec()).unwrap();
            self.results.recv().unwrap().map(|()| bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Story {
        queue: LogQueue,
        written: Receiver<Vec<u8>>,
        results: Sender<io::Result<()>>,
        reports: Receiver<u64>,
    }

    impl Story {
        fn new() -> Self {
            let queue = LogQueue::default();
            let ((send_written, written), (results, receive_results)) = (channel(), channel());
            let (send_reports, reports) = channel();
            let writing = queue.clone();
            let reader = Reader { written: send_written, results: receive_results };
            thread::spawn(move || writing.write_to(reader, |lost| send_reports.send(lost).unwrap()));
            Self { queue, written, results, reports }
        }

        fn log(&self, entry: &[u8]) {
            self.queue.clone().write_all(entry).unwrap();
        }

        fn next(&self) -> Vec<u8> {
            self.written.recv().unwrap()
        }
    }

    #[test]
    fn a_reader_that_stalls_delays_nobody_and_what_was_lost_is_reported() {
        let story = Story::new();
        story.log(b"first\n");
        assert_eq!(story.next(), b"first\n");
        // The thread waits for the reader now.
        let entry = vec![b'x'; CAPACITY / 4];
        for _ in 0..10 {
            story.log(&entry);
        }
        assert_eq!(story.queue.lost(), 6);
        story.queue.flush_within(Duration::from_millis(1));
        story.results.send(Ok(())).unwrap();
        assert_eq!(story.reports.recv(), Ok(6));
        assert_eq!(story.next().len(), CAPACITY);
        story.results.send(Ok(())).unwrap();
        story.log(b"last\n");
        assert_eq!(story.next(), b"last\n");
        story.results.send(Ok(())).unwrap();
        story.queue.flush_within(Duration::from_mins(1));
        assert_eq!(story.reports.try_recv().ok(), None, "the same entries are reported once");
    }

    #[test]
    fn entries_that_a_full_disk_refuses_are_counted_and_reported_once_there_is_room() {
        let story = Story::new();
        for count in 1..=3 {
            story.log(b"refused\n");
            assert_eq!(story.next(), b"refused\n");
            story.results.send(Err(io::Error::from(io::ErrorKind::StorageFull))).unwrap();
            story.queue.flush_within(Duration::from_mins(1));
            assert_eq!(story.queue.lost(), count);
        }
        story.log(b"accepted\n");
        assert_eq!(story.next(), b"accepted\n");
        story.results.send(Ok(())).unwrap();
        assert_eq!(story.reports.recv(), Ok(3));
    }

    #[test]
    fn flushing_waits_until_everything_is_written() {
        let story = Story::new();
        story.log(b"one\n");
        assert_eq!(story.next(), b"one\n");
        story.log(b"two\n");
        let flushing = {
            let queue = story.queue.clone();
            thread::spawn(move || queue.flush_within(Duration::from_mins(1)))
        };
        story.results.send(Ok(())).unwrap();
        assert_eq!(story.next(), b"two\n");
        assert!(!flushing.is_finished(), "the second entry is still being written");
        story.results.send(Ok(())).unwrap();
        flushing.join().unwrap();
    }
}

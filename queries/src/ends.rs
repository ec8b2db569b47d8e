//! Where the log ends, asked once for all reads that wait to know.
//!
//! A read that joins is answered by a request to the log that was made after it joined: those who
//! come while one is under way share the next. One thread asks, since a log over a network blocks.

use schemas::topic::TopicPartition;
use sinks::event_log::{EventLog, ReadError};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Reads that may wait for one request; more wait for room, within their own time.
const WAITING_MAX: usize = 1024;

type Answer = Result<Arc<[u64]>, ReadError>;

/// Asks for the ends of all of [`TopicPartition::inputs`].
#[derive(Clone)]
pub(crate) struct Ends(mpsc::Sender<oneshot::Sender<Answer>>);

impl Ends {
    pub(crate) fn start(log: Arc<dyn EventLog>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("ends".to_owned())
            .spawn(move || answer_all(&*log, receiver))
            .expect("a process that starts can have a thread");
        Self(sender)
    }

    /// The ends, in the order of the inputs; all that was acknowledged before lies below them.
    pub(crate) async fn ask(&self) -> Answer {
        let (sender, receiver) = oneshot::channel();
        // If the thread is gone, it drops the sender, and the next line hears of it.
        let _ = self.0.send(sender).await;
        let gone = "the thread that asks the log is gone";
        receiver.await.unwrap_or_else(|_| Err(ReadError::Unavailable(gone.to_owned())))
    }
}

fn answer_all(log: &dyn EventLog, mut receiver: mpsc::Receiver<oneshot::Sender<Answer>>) {
    let inputs: Vec<TopicPartition> = TopicPartition::inputs().collect();
    let mut waiting = Vec::with_capacity(WAITING_MAX);
    while receiver.blocking_recv_many(&mut waiting, WAITING_MAX) > 0 {
        let answer: Answer = log.ends(&inputs).map(Arc::from);
        for read in waiting.drain(..) {
            // A read that has given up has dropped its end: nobody is left to tell.
            let _ = read.send(answer.clone());
        }
    }
}

//! A run that is asked to end before its time: no more is sent, and what was sent is reported.

use crate::Error;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Whether it was asked to end; a clone is the same one. The default one hears no signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending(Arc<AtomicBool>);

impl Ending {
    /// From here on the first SIGINT or SIGTERM ends the sending, and a second one the process.
    pub(crate) fn listen() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(Error::Runtime);
        let mut terminate = listen(SignalKind::terminate())?;
        let mut interrupt = listen(SignalKind::interrupt())?;
        let ending = Self::default();
        let asked = ending.clone();
        tokio::spawn(async move {
            next(&mut terminate, &mut interrupt).await;
            asked.ask();
            eprintln!("asked to end: waiting for what was sent");
            process::exit(next(&mut terminate, &mut interrupt).await);
        });
        Ok(ending)
    }

    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Waits for one; gives the code of a process that it ends.
async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> i32 {
    tokio::select! {
        _ = terminate.recv() => 143,
        _ = interrupt.recv() => 130,
    }
}

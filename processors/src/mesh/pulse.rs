//! The pulse: each process lets the others hear that it lives, and whether its workers have their
//! state, on connections of their own, which no load can fill. One that is stopped, or behind a
//! network that swallows everything, closes nothing: it is just not heard any more.

use super::links::Peer;
use super::{BEAT, SILENCE};
use crate::failure::Failure;
use crate::threads::Threads;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

/// It lives, and loads what it goes on from.
const LOADS: u8 = 0;
/// It lives, and works.
const WORKS: u8 = 1;

/// Starts a thread that beats and one for each peer that hears it.
///
/// # Errors
/// The system gives no thread, or a connection cannot be used.
pub(super) fn spawn(
    threads: &mut Threads,
    pulses: Vec<(Arc<Peer>, TcpStream)>,
    stop: Receiver<()>,
) -> Result<(), Failure> {
    let mut beating = Vec::new();
    for (peer, pulse) in pulses {
        let cloned = pulse.try_clone().and_then(|clone| {
            clone.set_read_timeout(Some(SILENCE))?;
            clone.set_write_timeout(Some(SILENCE)).map(|()| clone)
        });
        let clone = cloned.map_err(|error| {
            Failure::Unavailable(format!("{}: could not use its pulse: {error}", peer.host))
        })?;
        beating.push((Arc::clone(&peer), pulse));
        threads.spawn("pulse", move |_| {
            hear(&peer, &clone);
            Ok(())
        })?;
    }
    threads.spawn("beats", move |hub| {
        loop {
            let works = hub.lock().restored.is_none();
            for (peer, pulse) in &mut beating {
                if let Err(error) = pulse.write_all(&[if works { WORKS } else { LOADS }]) {
                    peer.lost(&error.to_string());
                    return Ok(());
                }
            }
            if stop.recv_timeout(BEAT) != Err(RecvTimeoutError::Timeout) {
                return Ok(());
            }
        }
    })
}

/// Hears a peer until it is gone.
fn hear(peer: &Peer, mut pulse: &TcpStream) {
    let mut beats = [LOADS; 64];
    loop {
        match pulse.read(&mut beats) {
            Ok(0) => return peer.lost("it has ended"),
            Ok(count) => {
                let mut state = peer.hub.lock();
                if beats[count - 1] == WORKS && state.waits_for.contains(&peer.host) {
                    state.waits_for.retain(|host| *host != peer.host);
                    peer.hub.notify();
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return peer.lost(&format!("it was not heard for {} s", SILENCE.as_secs()));
            }
            Err(error) => return peer.lost(&error.to_string()),
        }
    }
}

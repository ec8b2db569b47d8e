//! A road to a process of a mesh, on which everything can be swallowed: then nothing is closed and
//! nothing arrives, as on the way to a host that vanished.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// What it swallows of each connection behind its hello.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Swallows {
    /// What comes after [`Road::swallow`].
    WhenAsked,
    /// What timely sends: the pulse is heard.
    Messages,
}

pub(super) struct Road {
    at: SocketAddr,
    /// Connections of an older age are swallowed.
    age: Arc<AtomicU64>,
    closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Road {
    pub(super) fn to(target: SocketAddr, swallows: Swallows) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (age, closed) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (ages, ends) = (Arc::clone(&age), Arc::clone(&closed));
        let thread = std::thread::spawn(move || {
            for from in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let ages = Arc::clone(&ages);
                // A connection that breaks is seen at its ends.
                std::thread::spawn(move || carry(from.unwrap(), target, &ages, swallows).ok());
            }
        });
        Self { at, age, closed, thread: Some(thread) }
    }

    pub(super) fn address(&self) -> String {
        self.at.to_string()
    }

    /// Swallows all that comes from now on, by connections that there are; new ones are carried.
    pub(super) fn swallow(&self) {
        self.age.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        // It wakes whoever listens, to see that it is over.
        drop(TcpStream::connect(self.at));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn carry(
    from: TcpStream,
    target: SocketAddr,
    ages: &Arc<AtomicU64>,
    swallows: Swallows,
) -> io::Result<()> {
    let born = ages.load(Ordering::SeqCst);
    let to = TcpStream::connect(target)?;
    from.set_nodelay(true)?;
    to.set_nodelay(true)?;
    let hello = frame(&from)?;
    (&to).write_all(&hello)?;
    let is_data = hello.windows(6).any(|word| word == b"\"Data\"");
    let swallowed = is_data && swallows == Swallows::Messages;
    if swallowed {
        (&from).write_all(&frame(&to)?)?;
    }
    let (there, back) = ((from.try_clone()?, to.try_clone()?), (to, from));
    let theirs = Arc::clone(ages);
    std::thread::spawn(move || copy(back, || swallowed || theirs.load(Ordering::SeqCst) > born));
    copy(there, || swallowed || ages.load(Ordering::SeqCst) > born)
}

/// A frame of the handshake, with its length.
fn frame(mut from: &TcpStream) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    from.read_exact(&mut frame)?;
    let length = u32::from_be_bytes(frame[..].try_into().unwrap());
    frame.resize(4 + length as usize, 0);
    from.read_exact(&mut frame[4..])?;
    Ok(frame)
}

fn copy((mut from, mut to): (TcpStream, TcpStream), swallow: impl Fn() -> bool) -> io::Result<()> {
    let mut bytes = [0; 1 << 16];
    loop {
        let count = from.read(&mut bytes).unwrap_or(0);
        if swallow() {
            if count == 0 {
                // The other end is not told: this thread keeps it open until it closes itself.
                return io::copy(&mut to, &mut io::sink()).map(drop);
            }
            continue;
        }
        if count == 0 {
            return to.shutdown(std::net::Shutdown::Write);
        }
        to.write_all(&bytes[..count])?;
    }
}

//! The listener of a process in a mesh: one thread that hears who comes, and a short-lived one for
//! each. Who is not of the mesh is told why; who is, waits here to be taken, while a mesh is made.

use super::hello::{Answer, Asks, Hello, hear, say};
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a newcomer may take to say who it is.
const HELLO_MAX: Duration = Duration::from_secs(2);
/// Newcomers heard at once; more are let go of.
const NEWCOMERS_MAX: usize = 32;

/// Who came, by host index and what it asked for.
pub(super) type Arrived = BTreeMap<(usize, Asks), TcpStream>;

/// What is let in while a mesh is made.
#[derive(Default)]
pub(super) struct Gathering {
    /// The run that is being made; none: nobody is let in.
    pub(super) run: Option<String>,
    /// Whether newcomers may ask to join it.
    pub(super) joins: bool,
    /// Who came.
    pub(super) arrived: Arrived,
}

struct Shared {
    hello: Hello,
    gathering: Mutex<Gathering>,
    changed: Condvar,
    closed: AtomicBool,
    newcomers: AtomicUsize,
}

/// A running listener; it ends with this.
pub(super) struct Listener {
    shared: Arc<Shared>,
    at: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens on this socket.
    pub(super) fn start(hello: Hello, socket: TcpListener) -> io::Result<Self> {
        let at = socket.local_addr()?;
        let shared = Arc::new(Shared {
            hello,
            gathering: Mutex::default(),
            changed: Condvar::new(),
            closed: AtomicBool::new(false),
            newcomers: AtomicUsize::new(0),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("mesh-listener".to_owned())
            .spawn(move || listen(&theirs, &socket))?;
        Ok(Self { shared, at, thread: Some(thread) })
    }

    /// What this process says of itself.
    pub(super) fn hello(&self) -> &Hello {
        &self.shared.hello
    }

    /// Who came, and who is let in.
    pub(super) fn lock(&self) -> MutexGuard<'_, Gathering> {
        self.shared.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up the lock until somebody comes, for at most so long.
    pub(super) fn wait<'a>(
        &self,
        gathering: MutexGuard<'a, Gathering>,
        timeout: Duration,
    ) -> MutexGuard<'a, Gathering> {
        let waited = self.shared.changed.wait_timeout(gathering, timeout);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // It waits for a newcomer. Where it cannot be reached, its thread is left behind.
        if TcpStream::connect_timeout(&self.at, HELLO_MAX).is_ok()
            && let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the mesh's listener panicked");
        }
    }
}

fn listen(shared: &Arc<Shared>, socket: &TcpListener) {
    while !shared.closed.load(Ordering::SeqCst) {
        let newcomer = match socket.accept() {
            Ok((newcomer, _)) => newcomer,
            Err(error) => {
                tracing::warn!(%error, "nobody could be let into the mesh");
                std::thread::park_timeout(HELLO_MAX);
                continue;
            }
        };
        if shared.newcomers.fetch_add(1, Ordering::SeqCst) >= NEWCOMERS_MAX {
            shared.newcomers.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let theirs = Arc::clone(shared);
        let heard = std::thread::Builder::new().name("mesh-hello".to_owned()).spawn(move || {
            if let Err(error) = theirs.meet(newcomer) {
                tracing::warn!(%error, "a newcomer to the mesh is let go of");
            }
            theirs.newcomers.fetch_sub(1, Ordering::SeqCst);
        });
        if let Err(error) = heard {
            shared.newcomers.fetch_sub(1, Ordering::SeqCst);
            tracing::warn!(%error, "nobody could be let into the mesh");
        }
    }
}

impl Shared {
    /// Hears who it is, and lets it in or not.
    fn meet(&self, newcomer: TcpStream) -> io::Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            return Ok(());
        }
        newcomer.set_read_timeout(Some(HELLO_MAX))?;
        newcomer.set_write_timeout(Some(HELLO_MAX))?;
        newcomer.set_nodelay(true)?;
        let hello: Hello = hear(&newcomer)?;
        if let Some(differs) = self.hello.differs(&hello) {
            let from = newcomer.peer_addr()?;
            tracing::warn!(%from, %differs, "a stranger is refused: it is not of this mesh");
            return say(&newcomer, &Answer::<()>::Refused(differs));
        }
        let mut gathering = self.gathering.lock().unwrap_or_else(PoisonError::into_inner);
        let is_let_in = match &hello.asks {
            Asks::ToJoin => gathering.joins,
            Asks::Pulse(run) | Asks::Data(run) => gathering.run.as_ref() == Some(run),
        };
        if !is_let_in {
            drop(gathering);
            return say(&newcomer, &Answer::<()>::NotNow);
        }
        if hello.asks != Asks::ToJoin {
            say(&newcomer, &Answer::Yes(()))?;
        }
        gathering.arrived.insert((hello.index, hello.asks), newcomer);
        self.changed.notify_all();
        Ok(())
    }
}

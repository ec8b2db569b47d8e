//! A proxy in front of a broker that cuts its connections, and may keep answers to itself before.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How long swallowing waits for an answer to swallow.
const SWALLOW_MAX: Duration = Duration::from_secs(30);

/// A running proxy; its threads end with their connections.
pub(super) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// None until the broker is there.
    broker: Option<String>,
    open: Vec<TcpStream>,
    swallows: bool,
    swallowed: usize,
}

impl Proxy {
    /// Listens; whoever comes waits until the broker is known.
    pub(super) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&theirs);
                std::thread::spawn(move || shared.serve(client));
            }
        });
        Self { port, shared }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Connections go there.
    pub(super) fn lead_to(&self, broker: String) {
        self.shared.state.lock().unwrap().broker = Some(broker);
        self.shared.changed.notify_all();
    }

    /// Cuts all connections; gives how many.
    pub(super) fn cut(&self) -> usize {
        let mut state = self.shared.state.lock().unwrap();
        state.swallows = false;
        let open = std::mem::take(&mut state.open);
        for side in &open {
            // It may be closed already.
            let _ = side.shutdown(Shutdown::Both);
        }
        open.len() / 2
    }

    /// Keeps what the broker answers to itself, until this many pieces of it are gone, and cuts.
    pub(super) fn swallow_and_cut(&self, pieces: usize) -> usize {
        let mut state = self.shared.state.lock().unwrap();
        (state.swallows, state.swallowed) = (true, 0);
        let (state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, SWALLOW_MAX, |state| state.swallowed < pieces)
            .unwrap();
        assert!(!waited.timed_out(), "the broker answers nobody");
        drop(state);
        self.cut()
    }
}

impl Shared {
    fn serve(self: Arc<Self>, client: TcpStream) {
        let waits = |state: &mut State| state.broker.is_none();
        let mut state = self.changed.wait_while(self.state.lock().unwrap(), waits).unwrap();
        let Ok(broker) = TcpStream::connect(state.broker.as_deref().unwrap()) else { return };
        for side in [&client, &broker] {
            side.set_nodelay(true).unwrap();
            state.open.push(side.try_clone().unwrap());
        }
        drop(state);
        let (from, to) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
        std::thread::spawn(move || pass(from, to, |_| true));
        pass(broker, client, |_| {
            let mut state = self.state.lock().unwrap();
            state.swallowed += usize::from(state.swallows);
            self.changed.notify_all();
            !state.swallows
        });
    }
}

/// Passes on what may pass until one side ends, then ends both.
fn pass(mut from: TcpStream, mut to: TcpStream, may_pass: impl Fn(&[u8]) -> bool) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(bytes @ 1..) = from.read(&mut piece) {
        if may_pass(&piece[..bytes]) && to.write_all(&piece[..bytes]).is_err() {
            break;
        }
    }
    for side in [from, to] {
        // The other thread may have ended it.
        let _ = side.shutdown(Shutdown::Both);
    }
}

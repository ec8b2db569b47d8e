//! A mesh's connections while it runs: timely's threads over them, and the pulse.

use super::gather::Connections;
use super::pulse;
use super::stream::MeshStream;
use super::{Mesh, SILENCE};
use crate::failure::Failure;
use crate::hub::Hub;
use crate::threads::Threads;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::initialize::{
    CommsGuard, initialize_networking_from_sockets,
};
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};

/// Another process of the mesh, as the threads see it that hear it.
pub(super) struct Peer {
    pub(super) host: String,
    pub(super) hub: Arc<Hub>,
}

impl Peer {
    /// It is gone: this process's engine ends, unless it has nothing left to do.
    pub(super) fn lost(&self, why: &str) {
        if !self.hub.lock().worker_done() {
            let host = &self.host;
            self.hub.fail(Failure::Unavailable(format!("{host} is gone from the mesh: {why}")));
        }
    }
}

/// The connections of a running mesh.
pub struct Links {
    sockets: Vec<TcpStream>,
    timely: Option<CommsGuard>,
    /// The pulse ends when this is gone.
    beats: Option<Sender<()>>,
}

impl Links {
    /// Starts timely's threads and the pulse over these connections; gives what its workers are
    /// built from.
    ///
    /// # Errors
    /// The system gives no thread, or a connection cannot be used.
    pub(crate) fn start(
        mesh: &Mesh,
        connections: Connections,
        threads: &mut Threads,
    ) -> Result<(Self, Vec<AllocatorBuilder>), Failure> {
        let could_not =
            |error: io::Error| Failure::Unavailable(format!("could not make the mesh: {error}"));
        let Connections { mut data, pulses } = connections;
        let mut sockets = Vec::new();
        for socket in data.values().chain(pulses.values()) {
            sockets.push(socket.try_clone().map_err(could_not)?);
        }
        let peer = |at: usize| {
            let host = mesh.plan.hosts[at].clone();
            Arc::new(Peer { host, hub: Arc::clone(&threads.hub) })
        };
        let mut streams = Vec::new();
        for at in 0..mesh.plan.hosts.len() {
            let Some(socket) = data.remove(&at) else {
                streams.push(None);
                continue;
            };
            // That a process lives is heard by its pulse; one that takes nothing is gone.
            socket.set_read_timeout(None).map_err(could_not)?;
            socket.set_write_timeout(Some(SILENCE)).map_err(could_not)?;
            streams.push(Some(MeshStream::new(socket, peer(at))));
        }
        let pulses: Vec<_> = pulses.into_iter().map(|(at, pulse)| (peer(at), pulse)).collect();
        let (index, workers, hooks) = (mesh.plan.index, mesh.plan.workers, Hooks::default());
        let refill = hooks.refill.clone();
        let inner = ProcessBuilder::new_typed_vector(workers, refill, None);
        let built = initialize_networking_from_sockets(inner, streams, index, workers, hooks);
        let (builders, timely) = built.map_err(could_not)?;
        let (beats, stop) = channel();
        let links = Self { sockets, timely: Some(timely), beats: Some(beats) };
        pulse::spawn(threads, pulses, stop)?;
        Ok((links, builders.into_iter().map(AllocatorBuilder::Tcp).collect()))
    }

    /// Ends them, once the workers have ended. What they sent last is sent, unless the engine has
    /// `failed`.
    pub fn close(&mut self, failed: bool) {
        self.beats = None;
        if failed {
            self.shut();
        }
        let timely = self.timely.take();
        // Its threads panic where a worker did, which has been told; and so does this.
        if catch_unwind(AssertUnwindSafe(|| drop(timely))).is_err() {
            tracing::debug!("timely's threads ended with their workers");
        }
        self.shut();
    }

    fn shut(&self) {
        for socket in &self.sockets {
            // One that is closed already, from the other end, is as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.close(true);
    }
}

//! A mesh of several processes: workers of one dataflow, on several machines.
//!
//! ```text
//! h0 (the head)                                     h1 (a member)
//! listener <------- hello, and what it is told -------- asks to join, again until it may
//!    |  all are there: one run, one checkpoint to go on from
//! workers 0..w <====== timely: messages, parts ======> workers w..2w
//! pulse <------------- a byte each 250 ms ------------> pulse
//! ```
//!
//! - Every process reads the log itself, opens the same epochs, and keeps what belongs to its own
//!   workers: the worker of a key group is `group % peers`. What the workers did in an epoch comes
//!   to the head, which plans, publishes, writes checkpoints and asks for payments. The others claim
//!   nothing and append nothing.
//! - Who is not of this mesh (another log, build, list of hosts, number of workers) is told what
//!   differs and let go of: it disturbs nobody.
//! - All or none: a process that is not heard for [`SILENCE`], or whose connection breaks, ends the
//!   engine of each of the others; each starts anew and waits until all are there again.

mod gather;
mod hello;
mod links;
mod listener;
mod pulse;
mod share;
mod stream;

pub use gather::{Connections, Offer};
pub use links::Links;
pub use share::Share;

use crate::failure::Failure;
use hello::Hello;
use listener::Listener;
use std::net::TcpListener;
use std::time::Duration;

/// A process that is not heard for so long is taken to be gone. Together with `BEAT` this is the
/// time in which a hang is found.
pub const SILENCE: Duration = Duration::from_secs(4);
/// How often each process lets the others hear that it lives.
pub(crate) const BEAT: Duration = Duration::from_millis(250);

/// What makes a mesh, and which of its processes this one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What log it works on, in words that are the same for all of its processes.
    pub cluster: String,
    /// `host:port` of each process; the first is the head's.
    pub hosts: Vec<String>,
    /// Which of them this one is.
    pub index: usize,
    /// Workers of each process.
    pub workers: usize,
}

/// A process's place in a mesh: it listens there for as long as this lives.
pub struct Mesh {
    plan: Plan,
    listener: Listener,
}

impl Mesh {
    /// Listens at this process's place in the plan.
    ///
    /// # Errors
    /// It cannot listen there.
    pub fn listen(plan: Plan) -> Result<Self, Failure> {
        let at = &plan.hosts[plan.index];
        let socket = TcpListener::bind(at)
            .map_err(|error| Failure::Fault(format!("could not listen on {at}: {error}")))?;
        Self::over(plan, socket)
    }

    /// The same, on a socket that listens already.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn over(plan: Plan, socket: TcpListener) -> Result<Self, Failure> {
        let listener = Listener::start(Hello::of(&plan), socket)
            .map_err(|error| Failure::Fault(format!("could not listen for the mesh: {error}")))?;
        Ok(Self { plan, listener })
    }

    /// Whether this process is the one that plans and publishes.
    #[must_use]
    pub const fn is_head(&self) -> bool {
        self.plan.index == 0
    }

    /// Which of the mesh's workers are in this process.
    #[must_use]
    pub const fn share(&self) -> Share {
        let Plan { hosts, index, workers, .. } = &self.plan;
        Share { first: *index * *workers, workers: *workers, peers: hosts.len() * *workers }
    }

    /// The places of the others.
    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let index = self.plan.index;
        (0..self.plan.hosts.len()).filter(move |other| *other != index)
    }
}

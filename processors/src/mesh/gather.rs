//! Making a mesh: the head waits until all have asked to join, says which run it is and what to go
//! on from; then each is connected with each. Nobody waits without saying for whom, and what is not
//! done in time begins anew.

use super::hello::{Answer, Asks, hear, say};
use super::listener::Gathering;
use super::{BEAT, Mesh, SILENCE};
use crate::engine::claim_id;
use crate::failure::{End, Failure};
use crate::hub::Hub;
use schemas::id::EventId;
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use sinks::clock::Clock;
use sinks::view_store::Mark;
use std::collections::BTreeMap;
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How long connections may take once all have asked to join.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// What all of a mesh go on from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The name of the checkpoint; none: the log is replayed from its beginning.
    pub checkpoint: Option<String>,
    /// Whether the head makes checkpoints, so that what changes is to be kept in mind.
    pub saves: bool,
    /// Where the head's views stand: era, epoch and the hash of its plan; none: no rows are wanted.
    pub views: Option<(u32, u64, [u8; 16])>,
}

impl Offer {
    /// Where the head's views stand, as far as a member needs to know.
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.views.map(|(era, epoch, hash)| Mark {
            era,
            epoch,
            plan_hash: EventId(hash),
            now: Timestamp::MIN,
            applied: Vec::new(),
        })
    }
}

/// An offer in a run.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    id: String,
    offer: Offer,
}

/// Connections of one process with all others, by host index.
pub struct Connections {
    /// What timely sends.
    pub(super) data: BTreeMap<usize, TcpStream>,
    /// A byte now and then.
    pub(super) pulses: BTreeMap<usize, TcpStream>,
}

impl Mesh {
    /// Of the head: waits until all others are there, and has them go on from this.
    ///
    /// # Errors
    /// Somebody was lost on the way, or the engine is to stop.
    pub fn gather(&self, hub: &Hub, clock: &Clock, offer: &Offer) -> Result<Connections, End> {
        let id = run_id()?;
        let _gathering = Begun::new(self, &id, true);
        loop {
            let missing: Vec<_> = {
                let gathering = self.listener.lock();
                let is_there = |at: &usize| gathering.arrived.contains_key(&(*at, Asks::ToJoin));
                self.others().filter(|at| !is_there(at)).collect()
            };
            self.waits_for(hub, &missing)?;
            if missing.is_empty() {
                break;
            }
            let missing = self.names(&missing);
            let mut gathering = self.listener.lock();
            // Who hears nothing of it is not there any more.
            gathering
                .arrived
                .retain(|_, waits| say(&*waits, &Answer::<Run>::WaitsFor(missing.clone())).is_ok());
            drop(self.listener.wait(gathering, BEAT));
        }
        {
            let mut gathering = self.listener.lock();
            gathering.joins = false;
            for ((at, _), waits) in &gathering.arrived {
                let run = Run { id: id.clone(), offer: offer.clone() };
                say(waits, &Answer::Yes(run)).map_err(|error| self.lost(*at, &error))?;
            }
        }
        self.connect(hub, clock, &id, None)
    }

    /// Of a member: asks the head until it is told what to go on from, and is connected with all.
    ///
    /// # Errors
    /// Somebody was lost on the way, or the engine is to stop.
    pub fn join(&self, hub: &Hub, clock: &Clock) -> Result<(Connections, Offer), End> {
        let (head, Run { id, offer }) = self.ask_to_join(hub)?;
        let _gathering = Begun::new(self, &id, false);
        Ok((self.connect(hub, clock, &id, Some(head))?, offer))
    }

    fn ask_to_join(&self, hub: &Hub) -> Result<(TcpStream, Run), End> {
        let mut told = String::new();
        loop {
            self.waits_for(hub, &[0])?;
            match self.ask_once(hub)? {
                Ok(joined) => return Ok(joined),
                Err(why) if why == told => {}
                Err(why) => {
                    tracing::info!(head = self.plan.hosts[0], %why, "waiting for the mesh");
                    told = why;
                }
            }
            drop(hub.wait_for(hub.lock(), BEAT));
        }
    }

    /// Asks once, and hears the head until it answers.
    fn ask_once(&self, hub: &Hub) -> Result<Result<(TcpStream, Run), String>, End> {
        let asked = self.reach(0, Asks::ToJoin);
        let head = match asked {
            Ok(head) => head,
            Err(error) => return Ok(Err(error.to_string())),
        };
        loop {
            match hear::<Answer<Run>>(&head) {
                Ok(Answer::Yes(run)) => return Ok(Ok((head, run))),
                Ok(Answer::WaitsFor(hosts)) => {
                    let mut state = hub.lock();
                    state.go_on()?;
                    state.waits_for = hosts;
                }
                Ok(Answer::NotNow) => {
                    return Ok(Err("its mesh is complete, or not made".to_owned()));
                }
                Ok(Answer::Refused(why)) => {
                    // A person has to see to it: it is said for as long as it lasts.
                    let head = &self.plan.hosts[0];
                    let said = format!("{head}, which refuses this process: {why}");
                    hub.lock().waits_for = vec![said];
                    hub.notify();
                    drop(hub.wait_for(hub.lock(), SILENCE));
                    return Ok(Err(why));
                }
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
    }

    /// Connects with those before this process, and waits for those behind it.
    fn connect(
        &self,
        hub: &Hub,
        clock: &Clock,
        id: &str,
        head: Option<TcpStream>,
    ) -> Result<Connections, End> {
        let began = clock.elapsed();
        let (data, pulse) = (Asks::Data(id.to_owned()), Asks::Pulse(id.to_owned()));
        let mut all = Connections { data: BTreeMap::new(), pulses: BTreeMap::new() };
        all.pulses.extend(head.map(|head| (0, head)));
        loop {
            for at in 0..self.plan.index {
                if !all.data.contains_key(&at) {
                    all.data.extend(self.enter(at, &data).map(|socket| (at, socket)));
                }
                if !all.pulses.contains_key(&at) {
                    all.pulses.extend(self.enter(at, &pulse).map(|socket| (at, socket)));
                }
            }
            let mut gathering = self.listener.lock();
            for ((at, asks), socket) in std::mem::take(&mut gathering.arrived) {
                match asks {
                    Asks::Data(_) => all.data.insert(at, socket),
                    Asks::ToJoin | Asks::Pulse(_) => all.pulses.insert(at, socket),
                };
            }
            let is_there = |at: &usize| all.data.contains_key(at) && all.pulses.contains_key(at);
            let missing: Vec<_> = self.others().filter(|at| !is_there(at)).collect();
            if missing.is_empty() {
                drop(gathering);
                // Until they are heard to work.
                self.waits_for(hub, &self.others().collect::<Vec<_>>())?;
                return Ok(all);
            }
            drop(self.listener.wait(gathering, BEAT / 5));
            self.waits_for(hub, &missing)?;
            if clock.elapsed().saturating_sub(began) > CONNECT_MAX {
                let hosts = self.names(&missing).join(", ");
                return Err(Failure::Unavailable(format!(
                    "{hosts} did not come to the mesh within {} s",
                    CONNECT_MAX.as_secs()
                ))
                .into());
            }
        }
    }

    /// A connection with who is in the same run; none: not yet.
    fn enter(&self, at: usize, asks: &Asks) -> Option<TcpStream> {
        let socket = self.reach(at, asks.clone()).ok()?;
        matches!(hear(&socket), Ok(Answer::Yes(()))).then_some(socket)
    }

    /// Connects with a host and says hello.
    fn reach(&self, at: usize, asks: Asks) -> io::Result<TcpStream> {
        let host = &self.plan.hosts[at];
        let address = host.to_socket_addrs()?.next();
        let address = address.ok_or_else(|| io::Error::other(format!("{host} has no address")))?;
        let socket = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SILENCE))?;
        socket.set_write_timeout(Some(SILENCE))?;
        say(&socket, &self.listener.hello().asking(asks))?;
        Ok(socket)
    }

    /// Says whom it waits for.
    fn waits_for(&self, hub: &Hub, missing: &[usize]) -> Result<(), End> {
        let mut state = hub.lock();
        state.go_on()?;
        state.waits_for = self.names(missing);
        hub.notify();
        Ok(())
    }

    pub(super) fn names(&self, places: &[usize]) -> Vec<String> {
        places.iter().map(|at| self.plan.hosts[*at].clone()).collect()
    }

    fn lost(&self, at: usize, error: &io::Error) -> Failure {
        Failure::Unavailable(format!("{} is gone from the mesh: {error}", self.plan.hosts[at]))
    }
}

/// Newcomers are let in for as long as this lives.
struct Begun<'a>(&'a Mesh);

impl<'a> Begun<'a> {
    fn new(mesh: &'a Mesh, run: &str, joins: bool) -> Self {
        *mesh.listener.lock() =
            Gathering { run: Some(run.to_owned()), joins, ..Gathering::default() };
        Self(mesh)
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        *self.0.listener.lock() = Gathering::default();
    }
}

/// A name for one attempt: who is of another is not let in.
fn run_id() -> Result<String, Failure> {
    Ok(claim_id()?.0.iter().map(|byte| format!("{byte:02x}")).collect())
}

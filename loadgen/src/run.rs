//! Sending a schedule and taking down what comes back.
//!
//! One thread, and no lock: requests are tasks, and their answers come back to the loop that sends.
//! The loop never waits for the shop, save at [`IN_FLIGHT_MAX`], and then it is late and says so.

use crate::clock::Clock;
use crate::ending::Ending;
use crate::latency::Latency;
use crate::ledger::{Asked, Ledger, LedgerEntry, Told};
use crate::machine::{CoresUsed, Cpu};
use crate::progress::Progress;
use crate::requests::{Request, idempotency_key};
use crate::schedule::{Schedule, currency};
use crate::shop::{Answer, Failure, Shop};
use crate::watch::{self, WATCHED_EACH, WATCHED_EVERY, Watched};
use schemas::id::OrderId;
use serde::Deserialize;
use std::time::Duration;
use tokio::task::JoinSet;

/// Requests in flight in an open loop: each has a connection, and the machine has so many to give.
const IN_FLIGHT_MAX: usize = 4096;

/// When requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// When they are due, whatever the shop does.
    Scheduled,
    /// As soon as fewer than this many are in flight; they are intended for when they are sent.
    AsAcknowledged(usize),
}

/// A schedule and where to send it.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) shop: &'a Shop,
    pub(crate) clock: Clock,
    pub(crate) ledger: &'a Ledger,
    pub(crate) schedule: &'a Schedule,
    pub(crate) requests: &'a [Request],
    /// The run's name, in every key.
    pub(crate) name: &'a str,
    pub(crate) pace: Pace,
    pub(crate) batch: usize,
    /// `Prefer: wait` of so many seconds.
    pub(crate) wait: Option<u32>,
    pub(crate) server_pid: Option<u32>,
    pub(crate) ending: &'a Ending,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Findings {
    /// By the run's clock, when the first request could go and when the last was answered or due.
    pub(crate) started: Duration,
    pub(crate) ended: Duration,
    pub(crate) sent: u64,
    /// Acknowledged orders, each once.
    pub(crate) orders: Vec<OrderId>,
    pub(crate) shed: u64,
    pub(crate) failed: u64,
    pub(crate) unknown: u64,
    pub(crate) late: Latency,
    pub(crate) ack: Latency,
    pub(crate) decision: Latency,
    pub(crate) readable: Latency,
    pub(crate) cores: CoresUsed,
}

/// A request that came back or did not.
#[derive(Debug)]
struct Returned {
    request: usize,
    sent: Duration,
    returned: Duration,
    answer: Result<Answer, Failure>,
}

/// A checkout's answer.
#[derive(Debug, Deserialize)]
struct Slot<'a> {
    status: u16,
    #[serde(borrow)]
    body: SlotBody<'a>,
}

/// What we need of a 202, an order or a problem.
#[derive(Debug, Default, Deserialize)]
struct SlotBody<'a> {
    id: Option<&'a str>,
    order_id: Option<&'a str>,
    position: Option<&'a str>,
    #[serde(borrow)]
    order: Option<OrderOfProblem<'a>>,
}

#[derive(Debug, Deserialize)]
struct OrderOfProblem<'a> {
    order_id: &'a str,
}

#[derive(Debug, Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    results: Vec<Slot<'a>>,
}

impl Run<'_> {
    /// Sends everything, unless it is asked to end, and waits for every answer. `window` is how long
    /// the schedule is; without one, or if it was asked to end, the run ends with its last answer.
    pub(crate) async fn drive(&self, window: Option<Duration>) -> Findings {
        let mut progress = Progress::start(self.clock, "checkouts", self.schedule.checkouts.len());
        let (mut in_flight, mut watching) = (JoinSet::new(), JoinSet::new());
        let cpu = Cpu::now(self.server_pid);
        let mut found = Findings::starting(self.clock.elapsed());
        for (number, request) in self.requests.iter().enumerate() {
            if self.pace == Pace::Scheduled {
                let due = found.started + request.due;
                self.take_until(due, &mut in_flight, &mut watching, &mut found).await;
            }
            while in_flight.len() >= self.in_flight_max() {
                let returned = in_flight.join_next().await.expect("some are in flight");
                let returned = returned.expect("sending does not panic");
                self.take(&returned, &mut watching, &mut found);
            }
            if self.ending.is_asked() {
                break;
            }
            in_flight.spawn(self.send(number, request));
            found.sent += request.checkouts.len() as u64;
            progress.at(request.checkouts.end);
        }
        let window = window.filter(|_| !self.ending.is_asked());
        if let Some(window) = window {
            let end = found.started + window;
            self.take_until(end, &mut in_flight, &mut watching, &mut found).await;
        }
        let took = self.clock.elapsed().saturating_sub(found.started);
        found.cores = cpu.until(Cpu::now(self.server_pid), took);
        while let Some(returned) = in_flight.join_next().await {
            self.take(&returned.expect("sending does not panic"), &mut watching, &mut found);
        }
        found.ended = window.map_or_else(|| self.clock.elapsed(), |window| found.started + window);
        while let Some(watched) = watching.join_next().await {
            found.watched(watched.expect("watching does not panic"));
        }
        found.orders.sort_unstable();
        found.orders.dedup();
        found
    }

    const fn in_flight_max(&self) -> usize {
        match self.pace {
            Pace::Scheduled => IN_FLIGHT_MAX,
            Pace::AsAcknowledged(in_flight) => in_flight,
        }
    }

    /// Takes down what comes back until `due`.
    async fn take_until(
        &self,
        due: Duration,
        in_flight: &mut JoinSet<Returned>,
        watching: &mut JoinSet<Watched>,
        found: &mut Findings,
    ) {
        while let Some(left) = due.checked_sub(self.clock.elapsed()).filter(|left| !left.is_zero())
        {
            tokio::select! {
                () = tokio::time::sleep(left) => return,
                Some(returned) = in_flight.join_next() => {
                    self.take(&returned.expect("sending does not panic"), watching, found);
                }
                Some(watched) = watching.join_next() => {
                    found.watched(watched.expect("watching does not panic"));
                }
            }
        }
    }

    fn send(
        &self,
        number: usize,
        request: &Request,
    ) -> impl Future<Output = Returned> + Send + 'static {
        let (shop, clock, body) = (self.shop.clone(), self.clock, request.body.clone());
        let single = (self.batch == 1).then(|| {
            let checkout = &self.schedule.checkouts[request.checkouts.start];
            let wait = self.wait.map(|seconds| format!("wait={seconds}"));
            (idempotency_key(self.name, checkout.key), wait)
        });
        async move {
            let sent = clock.elapsed();
            let answer = match single {
                None => shop.post("/v1/batch", &[], body).await,
                Some((key, wait)) => {
                    let mut headers = vec![("idempotency-key", &*key)];
                    headers.extend(wait.as_deref().map(|wait| ("prefer", wait)));
                    shop.post("/v1/checkouts", &headers, body).await
                }
            };
            Returned { request: number, sent, returned: clock.elapsed(), answer }
        }
    }

    fn take(&self, came: &Returned, watching: &mut JoinSet<Watched>, found: &mut Findings) {
        let request = &self.requests[came.request];
        if self.pace == Pace::Scheduled {
            found.late.record(came.sent.saturating_sub(found.started + request.due));
        }
        let slots = match &came.answer {
            Ok(answer) => slots(answer, self.batch, request.checkouts.len()),
            Err(failure) => Err(failure.clone()),
        };
        let mut slots = slots.map(Vec::into_iter);
        for number in request.checkouts.clone() {
            let slot = match &mut slots {
                Ok(slots) => Ok(slots.next().expect("one result for each action")),
                Err(failure) => Err(&*failure),
            };
            self.take_checkout(number, slot, came, watching, found);
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "an answer is taken once")]
    fn take_checkout(
        &self,
        number: usize,
        slot: Result<Slot<'_>, &Failure>,
        came: &Returned,
        watching: &mut JoinSet<Watched>,
        found: &mut Findings,
    ) {
        let checkout = &self.schedule.checkouts[number];
        let intended = match self.pace {
            Pace::Scheduled => found.started + checkout.at,
            Pace::AsAcknowledged(_) => came.sent,
        };
        let position = slot.as_ref().ok().and_then(|slot| slot.body.position);
        let told = told(&slot);
        if let Some(order_id) = found.count(&told, came.returned.saturating_sub(intended)) {
            match position {
                // Answered after the decision: everybody's latency is known.
                None if self.wait.is_some() => {
                    let decided = came.returned.saturating_sub(intended);
                    found.watched(Watched { readable: decided, decision: decided });
                }
                Some(position) if self.is_watched(number) => {
                    let (shop, position) = (self.shop.clone(), position.to_owned());
                    let watch =
                        watch::until_decided(shop, self.clock, intended, order_id, position);
                    watching.spawn(watch);
                }
                None | Some(_) => {}
            }
        }
        self.ledger.note(|| LedgerEntry::Action {
            intended_at: self.clock.wall(intended),
            asked: Asked::Checkout {
                customer_id: checkout.customer_id,
                lines: self.schedule.lines_of(checkout).to_vec(),
                currency: currency(),
                region: checkout.region,
                payment_method: checkout.payment_method,
                idempotency_key: idempotency_key(self.name, checkout.key),
            },
            told,
        });
    }

    /// The first checkout of each [`WATCHED_EVERY`], or of each [`WATCHED_EACH`] where none has a
    /// time; repeated ones excepted.
    fn is_watched(&self, number: usize) -> bool {
        let checkouts = &self.schedule.checkouts;
        let slice = |n: usize| checkouts[n].at.as_nanos() / WATCHED_EVERY.as_nanos();
        let first = match self.pace {
            Pace::Scheduled => number == 0 || slice(number - 1) != slice(number),
            Pace::AsAcknowledged(_) => number.is_multiple_of(WATCHED_EACH),
        };
        first && checkouts[number].key == number
    }
}

/// The results of a batch, or a single answer as one. A refused batch refuses all it carried.
fn slots(answer: &Answer, batch: usize, carried: usize) -> Result<Vec<Slot<'_>>, Failure> {
    let unreadable = |what: String| Failure::Unknown(format!("answer {}: {what}", answer.status));
    if batch > 1 && answer.status == 200 {
        let Results { results } =
            serde_json::from_slice(&answer.body).map_err(|error| unreadable(error.to_string()))?;
        if results.len() == carried {
            return Ok(results);
        }
        return Err(unreadable(format!("{} results for {carried} actions", results.len())));
    }
    if batch > 1 {
        let refused = |_| Slot { status: answer.status, body: SlotBody::default() };
        return Ok((0..carried).map(refused).collect());
    }
    // A problem from in front of the shop need not be JSON; its status says enough.
    let body = match serde_json::from_slice(&answer.body) {
        Ok(body) => body,
        Err(error) if answer.status < 300 => return Err(unreadable(error.to_string())),
        Err(_) => SlotBody::default(),
    };
    Ok(vec![Slot { status: answer.status, body }])
}

fn told(slot: &Result<Slot<'_>, &Failure>) -> Told {
    match slot {
        Ok(Slot { status, body }) => {
            let of_problem = body.order.as_ref().map(|order| order.order_id);
            let id = body.id.or(body.order_id).or(of_problem).map(str::to_owned);
            Told::Answered { status: *status, id }
        }
        Err(Failure::Unknown(detail)) => Told::Unknown { detail: detail.clone() },
        Err(Failure::NotSent(detail)) => Told::Failed { detail: detail.clone() },
    }
}

impl Findings {
    pub(crate) fn starting(started: Duration) -> Self {
        Self {
            started,
            ended: started,
            sent: 0,
            orders: Vec::new(),
            shed: 0,
            failed: 0,
            unknown: 0,
            late: Latency::new(),
            ack: Latency::new(),
            decision: Latency::new(),
            readable: Latency::new(),
            cores: CoresUsed { own: None, server: None, machine: None },
        }
    }

    /// Counts one answer; gives the order if there is one. A 503 or 429 is quick and says nothing
    /// about how fast the shop sells, so only taken actions have a latency.
    fn count(&mut self, told: &Told, latency: Duration) -> Option<OrderId> {
        match told {
            Told::Answered { status: 429 | 503, .. } => self.shed += 1,
            Told::Answered { status: 200..=299 | 409, id } => {
                if let Some(order_id) = id.as_deref().and_then(OrderId::parse) {
                    self.ack.record(latency);
                    self.orders.push(order_id);
                    return Some(order_id);
                }
                self.failed += 1;
            }
            Told::Answered { .. } | Told::Failed { .. } => self.failed += 1,
            Told::Unknown { .. } => self.unknown += 1,
        }
        None
    }

    fn watched(&mut self, watched: Watched) {
        self.readable.record(watched.readable);
        self.decision.record(watched.decision);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Checkout, payment_method, region};
    use bytes::Bytes;
    use schemas::id::CustomerId;

    /// Due after 1 s, sent after 5 s, answered after 6 s.
    #[test]
    fn latency_counts_from_the_intended_time() {
        let checkout = Checkout {
            at: Duration::from_secs(1),
            customer_id: CustomerId::parse("c1").unwrap(),
            region: region("eu"),
            payment_method: payment_method("tok_ok"),
            lines: 0..0,
            key: 0,
        };
        let schedule = Schedule { checkouts: vec![checkout], lines: vec![] };
        let (clock, shop) = (Clock::start(), Shop::at("http://nowhere", None));
        let ledger = Ledger::open(None, clock).unwrap();
        let requests = crate::requests::prepare(&schedule, 1, "run");
        let ending = Ending::default();
        let order_id = OrderId::new(0, [1; 16]);
        let body = serde_json::json!({"order_id": order_id}).to_string().into();
        let took = |pace| {
            let run = Run {
                shop: &shop,
                clock,
                ledger: &ledger,
                schedule: &schedule,
                requests: &requests,
                name: "run",
                pace,
                batch: 1,
                wait: None,
                server_pid: None,
                ending: &ending,
            };
            let mut found = Findings::starting(Duration::ZERO);
            let came = Returned {
                request: 0,
                sent: Duration::from_secs(5),
                returned: Duration::from_secs(6),
                answer: Ok(Answer { status: 201, body: Bytes::clone(&body) }),
            };
            run.take(&came, &mut JoinSet::new(), &mut found);
            let ack = found.ack.percentiles().unwrap();
            (ack.max.round(), found.late.p99_ms().round())
        };
        assert_eq!(took(Pace::Scheduled), (5001.0, 4002.0), "three digits of 5 s and of 4 s");
        assert_eq!(took(Pace::AsAcknowledged(1)), (1000.0, 0.0));
    }
}

//! Clocks that are wrong, and hours in which nobody decides: no order lapses before its deadline, and
//! none that was paid in time lapses at all.

use super::history::{Step, Writer};
use super::process::{BEGIN, Process, plan_topic, say};
use crate::engine::Role;
use crate::plan::{PlanTopic, Read};
use crate::planner::JUMPED;
use crate::standing::Standing;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::orders::Reason;
use schemas::id::OrderId;
use schemas::time::Timestamp;
use sinks::clock::Clock;
use sinks::event_log::EventLog;
use sinks::event_log::embedded::{Durability, FileLog};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// How long a reservation holds in these tests' processes.
const TIMEOUT: Duration = Duration::from_mins(15);
const DAY: Duration = Duration::from_hours(24);
const SECOND: Duration = Duration::from_secs(1);

/// What became of an order: until when it had its units, and when it was confirmed or lapsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fate {
    deadline: Timestamp,
    confirmed: Option<Timestamp>,
    lapsed: Option<Timestamp>,
}

fn fates(log: &dyn EventLog) -> BTreeMap<OrderId, Fate> {
    let codec = Codec::compiled();
    let mut fates: BTreeMap<OrderId, Fate> = BTreeMap::new();
    for (.., value) in super::determinism::outputs(log) {
        let (envelope, event) = codec.decode(&value).unwrap();
        let at = Some(envelope.occurred_at);
        match event {
            Event::OrderRequested(e) => {
                fates.entry(e.order_id).or_default().deadline = e.expires_at;
            }
            Event::OrderConfirmed(e) => fates.entry(e.order_id).or_default().confirmed = at,
            Event::OrderCancelled(e) => {
                assert_eq!(e.reason, Reason::ReservationExpired);
                fates.entry(e.order_id).or_default().lapsed = at;
            }
            _ => {}
        }
    }
    for (order, fate) in &fates {
        assert!(fate.lapsed.is_none_or(|at| at >= fate.deadline), "{order} lapsed early: {fate:?}");
    }
    fates
}

/// `now` of each epoch.
fn times(log: &dyn EventLog) -> Vec<Timestamp> {
    let (codec, mut plans) = (Codec::compiled(), PlanTopic::default());
    let read = plan_topic(log).into_iter().filter_map(|record| {
        let event = codec.decode_bare(&record.value).unwrap();
        match plans.read(record.offset, record.appended_at, &record.value, event) {
            Read::Planned(plan) => Some(plan.now),
            _ => None,
        }
    });
    read.collect()
}

/// A shop that decides by this clock, and whose log writes by that one.
struct Shop {
    log: Arc<dyn EventLog>,
    clock: Clock,
    writer: Writer,
    said: usize,
    _dir: TempDir,
}

impl Shop {
    fn new(log_clock: &Clock, clock: &Clock) -> Self {
        let dir = TempDir::new().unwrap();
        let log = FileLog::open(dir.path(), log_clock.clone(), Durability::NotDurable).unwrap();
        let mut shop = Self {
            log: Arc::new(log),
            clock: clock.clone(),
            writer: Writer::new(7),
            said: 0,
            _dir: dir,
        };
        let stocked = shop.writer.set_up();
        shop.say(&stocked);
        shop
    }

    fn say(&mut self, step: &Step) {
        self.said += say(self.log.as_ref(), step);
    }

    fn leads(&self) -> Process {
        let process = Process::by(&self.log, Role::Leads, self.clock.clone());
        process.is(Standing::Leads);
        process
    }

    /// A customer orders a unit.
    fn order(&mut self) -> OrderId {
        let order = self.writer.one();
        let step = self.writer.step();
        self.say(&step);
        order
    }

    fn pays(&mut self, order: OrderId) {
        self.writer.authorized(order);
        let step = self.writer.step();
        self.say(&step);
    }
}

/// Time passes; waits until all that was said is decided.
fn settles(shop: &Shop, process: &Process, time: Duration) {
    process.passes(time);
    process.has_applied(shop.said);
}

/// Seconds pass until all of these orders have lapsed.
fn lapse(shop: &Shop, process: &Process, log_clock: Option<&Clock>, orders: &[OrderId]) {
    const SECONDS_MAX: usize = 2_000;
    let lapsed =
        |fates: &BTreeMap<OrderId, Fate>| orders.iter().all(|order| fates[order].lapsed.is_some());
    for _ in 0..SECONDS_MAX {
        if lapsed(&fates(shop.log.as_ref())) {
            return;
        }
        log_clock.into_iter().for_each(|clock| clock.advance(SECOND));
        settles(shop, process, SECOND);
    }
    panic!("they never lapse: {:?}", fates(shop.log.as_ref()));
}

#[test]
fn what_was_paid_in_time_while_nobody_decided_for_two_hours_is_sold() {
    let clock = Clock::manual(BEGIN);
    let mut shop = Shop::new(&clock, &clock);
    let process = shop.leads();
    let orders = [(); 3].map(|()| shop.order());
    settles(&shop, &process, SECOND);
    process.engine.stop().unwrap();
    let [in_time, at_last, never] = orders;
    clock.advance(TIMEOUT - 10 * SECOND);
    shop.pays(in_time);
    clock.advance(Duration::from_hours(2));
    // Asked for and paid while nobody was there.
    let meanwhile = shop.order();
    shop.pays(meanwhile);
    shop.pays(at_last);
    let process = shop.leads();
    settles(&shop, &process, SECOND);
    lapse(&shop, &process, None, &[never, at_last]);
    let fates = fates(shop.log.as_ref());
    let ended = |order| (fates[&order].confirmed.is_some(), fates[&order].lapsed.is_some());
    assert_eq!(ended(in_time), (true, false));
    assert_eq!(ended(meanwhile), (true, false));
    assert_eq!(ended(never), (false, true));
    // Paid after it had lapsed: reserved again, since there are units.
    assert_eq!(ended(at_last), (true, true));
    process.engine.stop().unwrap();
}

/// The planner's wall clock is a day ahead for ten seconds: of one machine with the log's, or alone.
#[test]
fn a_clock_that_is_a_day_ahead_for_ten_seconds_lets_nothing_lapse() {
    for of_one_machine in [true, false] {
        let clock = Clock::manual(BEGIN);
        let log_clock = if of_one_machine { clock.clone() } else { Clock::manual(BEGIN) };
        let mut shop = Shop::new(&log_clock, &clock);
        let log_passes = |time| {
            if !of_one_machine {
                log_clock.advance(time);
            }
        };
        let pass = |shop: &Shop, process: &Process, time: Duration| {
            log_passes(time);
            settles(shop, process, time);
        };
        let process = shop.leads();
        let mut orders = vec![shop.order()];
        pass(&shop, &process, SECOND);
        clock.set_ahead(DAY);
        for _ in 0..10 {
            orders.push(shop.order());
            log_passes(SECOND);
            process.passes(SECOND);
            process.is(Standing::Halts(JUMPED));
        }
        clock.set_back(DAY);
        process.engine.handle().wake();
        process.is(Standing::Leads);
        orders.push(shop.order());
        pass(&shop, &process, SECOND);
        let lapsed = |shop: &Shop| {
            let fates = fates(shop.log.as_ref());
            orders.iter().filter(|order| fates[order].lapsed.is_some()).count()
        };
        assert_eq!(lapsed(&shop), 0, "of one machine: {of_one_machine}");
        let paid = orders[3];
        shop.pays(paid);
        pass(&shop, &process, TIMEOUT - 20 * SECOND);
        assert_eq!(lapsed(&shop), 0, "of one machine: {of_one_machine}");
        // Time goes on as it would have: all the others lapse, none before its deadline.
        let unpaid: Vec<_> = orders.iter().copied().filter(|order| *order != paid).collect();
        lapse(&shop, &process, (!of_one_machine).then_some(&log_clock), &unpaid);
        let fates = fates(shop.log.as_ref());
        assert!(fates[&paid].confirmed.is_some() && fates[&paid].lapsed.is_none());
        assert!(times(shop.log.as_ref()).is_sorted());
        process.engine.stop().unwrap();
    }
}

#[test]
fn who_takes_over_by_a_clock_five_minutes_behind_lets_nothing_lapse_early_and_time_goes_on() {
    let behind = Duration::from_mins(5);
    let clock = Clock::manual(Timestamp(BEGIN.0 + 300_000));
    let mut shop = Shop::new(&clock, &clock);
    let first = shop.leads();
    let (paid, lapses) = (shop.order(), shop.order());
    settles(&shop, &first, SECOND);
    let last = *times(shop.log.as_ref()).last().unwrap();
    first.engine.stop().unwrap();
    // The log's clock is the first one's, as a broker's would be.
    shop.clock = Clock::manual(BEGIN);
    let second = shop.leads();
    let later = shop.order();
    settles(&shop, &second, SECOND);
    shop.pays(paid);
    settles(&shop, &second, SECOND);
    let so_far = fates(shop.log.as_ref());
    assert!(so_far[&paid].confirmed.is_some());
    assert!(so_far[&later].deadline.0 >= last.0 + 900_000, "it has all of its time to pay");
    // By its own clock: until then nothing lapses, and then everything.
    clock.advance(TIMEOUT + behind);
    settles(&shop, &second, TIMEOUT + behind);
    lapse(&shop, &second, Some(&clock), &[lapses, later]);
    let fates = fates(shop.log.as_ref());
    assert!(fates[&lapses].lapsed.is_some() && fates[&later].lapsed.is_some(), "{fates:?}");
    assert!(fates[&paid].lapsed.is_none());
    assert!(times(shop.log.as_ref()).is_sorted());
    second.engine.stop().unwrap();
}

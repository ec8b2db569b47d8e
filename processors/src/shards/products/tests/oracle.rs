//! A second opinion: the laws, folded from events alone and recomputed whole at each of them.

use crate::shards::Decided;
use machines::message::{CustomerMessage, Reserve, ToCustomer};
use schemas::events::Event;
use schemas::events::lines::Level;
use schemas::events::orders::Reason;
use schemas::id::{OrderId, ProductId, WarehouseId};
use schemas::time::Timestamp;
use sinks::view_store::rows::{ReservationRow, Row, StockRow};
use std::collections::BTreeMap;

type Place = (ProductId, WarehouseId);
type Key = (ProductId, OrderId);

#[derive(Clone, Debug, PartialEq)]
enum Held {
    Soft(Timestamp),
    Firm(Timestamp),
    Sold,
}

#[derive(Default)]
pub(super) struct Oracle {
    counted: BTreeMap<Place, (i64, i64, u64)>,
    claims: BTreeMap<Key, (Held, Vec<Level>)>,
    /// Asked and not answered, with the place in the order of asking.
    pub(super) open: BTreeMap<Key, (usize, Reserve)>,
    asked: usize,
    pub(super) refused: Vec<Reserve>,
    pub(super) seen: BTreeMap<&'static str, usize>,
}

impl Oracle {
    pub(super) fn ask(&mut self, reserve: Reserve) {
        self.asked += 1;
        self.open.insert((reserve.product, reserve.order), (self.asked, reserve));
    }

    /// The order gives its claim back, or lets it lapse: where nothing is held, it is silent.
    pub(super) fn give_up(&mut self, product: ProductId, order: OrderId) {
        self.open.remove(&(product, order));
    }

    pub(super) fn is_reserved(&self, product: ProductId, order: OrderId, now: Timestamp) -> bool {
        let held = self.claims.get(&(product, order));
        held.is_some_and(|(held, _)| match held {
            Held::Soft(until) | Held::Firm(until) => *until > now,
            Held::Sold => false,
        })
    }

    pub(super) fn holds(&self, product: ProductId, order: OrderId) -> bool {
        self.claims.contains_key(&(product, order))
    }

    fn sum(&self, (product, warehouse): Place, which: impl Fn(&Held) -> bool) -> i64 {
        let claims = self.claims.range((product, OrderId::default())..);
        let of_product = claims.take_while(|((p, _), _)| *p == product);
        let levels = of_product.filter(|(_, (held, _))| which(held)).flat_map(|(_, (_, l))| l);
        let here = levels.filter(|level| level.warehouse_id == warehouse);
        here.map(|level| i64::from(level.quantity)).sum()
    }

    fn left(&self, product: ProductId, claims: impl Fn(&Held) -> bool) -> i64 {
        let places = self.counted.iter().filter(|((p, _), _)| *p == product);
        let left = |(place, (on_hand, wanted, _)): (&Place, &(i64, i64, u64))| {
            (on_hand - self.sum(*place, &claims) - wanted).max(0)
        };
        places.map(left).sum()
    }

    pub(super) fn available(&self, product: ProductId) -> i64 {
        self.left(product, |_| true)
    }

    fn check(&self, product: ProductId) {
        for (place, (on_hand, _, _)) in self.counted.iter().filter(|((p, _), _)| *p == product) {
            let claimed = self.sum(*place, |_| true);
            assert!(claimed <= *on_hand, "I2: {place:?}: {claimed} of {on_hand}");
        }
    }

    pub(super) fn event(&mut self, now: Timestamp, decided: &Decided) {
        *self.seen.entry(decided.event.kind().name()).or_default() += 1;
        let mut end = |product: ProductId, order: OrderId| {
            let held = self.claims.remove(&(product, order));
            held.unwrap_or_else(|| panic!("I4: {order} holds nothing"))
        };
        let units = |levels: &[Level]| levels.iter().map(|level| level.quantity).sum::<u32>();
        let product = match &decided.event {
            Event::StockReserved(e) => {
                self.reserved(e.product_id, e.order_id, e.levels.levels(), e.firm, e.expires_at);
                e.product_id
            }
            Event::ReservationSecured(e) => {
                let (held, levels) = end(e.product_id, e.order_id);
                let Held::Soft(until) = held else { panic!("I4: secured {held:?}") };
                self.claims.insert((e.product_id, e.order_id), (Held::Firm(until), levels));
                e.product_id
            }
            Event::StockRefused(e) => {
                let (place, reserve) = self.open.remove(&(e.product_id, e.order_id)).unwrap();
                let left = self.left(e.product_id, |held| !matches!(held, Held::Soft(_)));
                assert_eq!(i64::from(e.available), left, "what firm claims leave");
                if e.reason == Reason::OutOfStock {
                    assert!(left < i64::from(e.asked), "I7: refused {place} for {left} units");
                    self.refused.push(reserve);
                }
                e.product_id
            }
            Event::StockAllocated(e) => {
                let (held, levels) = end(e.product_id, e.order_id);
                assert!(held != Held::Sold && units(&levels) == e.quantity, "I4: {held:?}");
                self.claims.insert((e.product_id, e.order_id), (Held::Sold, levels));
                e.product_id
            }
            Event::StockReleased(e) => {
                let (held, levels) = end(e.product_id, e.order_id);
                assert_eq!((units(&levels), held == Held::Sold), (e.quantity, e.allocated), "I3");
                e.product_id
            }
            Event::ReservationExpired(e) => {
                let (held, levels) = end(e.product_id, e.order_id);
                let (Held::Soft(until) | Held::Firm(until)) = held else { panic!("I4: sold") };
                assert!(until <= now && units(&levels) == e.quantity, "I5: {until:?} at {now:?}");
                let timer = e.order_id.words()[1] & u64::from(u32::MAX);
                assert_eq!(u64::from(decided.serial), timer, "a timer began it");
                e.product_id
            }
            Event::ReservationRevoked(e) => {
                let (held, levels) = end(e.product_id, e.order_id);
                assert!(held != Held::Sold && units(&levels) == e.quantity, "I4: {held:?}");
                e.product_id
            }
            Event::AllocationShorted(e) => {
                let (held, mut levels) = end(e.product_id, e.order_id);
                assert_eq!(held, Held::Sold);
                let at = levels.iter().position(|l| l.warehouse_id == e.warehouse_id).unwrap();
                levels[at].quantity -= e.quantity;
                levels.retain(|level| level.quantity > 0);
                self.claims.insert((e.product_id, e.order_id), (held, levels));
                e.product_id
            }
            _ => return self.counted(&decided.event),
        };
        self.check(product);
    }

    fn counted(&mut self, event: &Event) {
        let product = match event {
            Event::StockReceived(e) => {
                let level = self.counted.entry((e.product_id, e.warehouse_id)).or_default();
                level.0 += i64::from(e.quantity);
                assert_eq!(e.version, level.2 + 1, "I13");
                level.2 = e.version;
                e.product_id
            }
            Event::StockAdjusted(e) => {
                let level = self.counted.entry((e.product_id, e.warehouse_id)).or_default();
                assert_eq!(e.change, e.asked.max(-level.0), "taken to zero, not below");
                level.0 += e.change;
                level.2 = e.version;
                e.product_id
            }
            Event::SafetyStockChanged(e) => {
                let level = self.counted.entry((e.product_id, e.warehouse_id)).or_default();
                (level.1, level.2) = (i64::from(e.safety_stock), e.version);
                e.product_id
            }
            _ => return,
        };
        self.check(product);
    }

    fn reserved(
        &mut self,
        product: ProductId,
        order: OrderId,
        levels: &[Level],
        firm: bool,
        until: Timestamp,
    ) {
        let (place, reserve) = self.open.remove(&(product, order)).expect("answered once");
        let units: u32 = levels.iter().map(|level| level.quantity).sum();
        assert_eq!((units, firm), (reserve.quantity, reserve.alone), "all or nothing");
        assert_eq!(until, reserve.expires_at);
        for level in levels {
            let place = (product, level.warehouse_id);
            let (on_hand, wanted, _) = self.counted[&place];
            let available = on_hand - self.sum(place, |_| true) - wanted;
            assert!(i64::from(level.quantity) <= available, "I2: safety stock was promised");
        }
        let earlier = self.open.range((product, OrderId::default())..);
        let mut earlier = earlier.take_while(|((p, _), _)| *p == product);
        assert!(earlier.all(|(_, (other, _))| *other > place), "served past one who waits");
        let held = if firm { Held::Firm(until) } else { Held::Soft(until) };
        self.claims.insert((product, order), (held, levels.to_vec()));
    }

    /// Nobody waits who could be served, or who cannot be had any more.
    pub(super) fn nobody_waits_in_vain(&self, product: ProductId) {
        let open = self.open.iter().filter(|((p, _), _)| *p == product);
        let mut open: Vec<_> = open.map(|(_, (place, reserve))| (*place, *reserve)).collect();
        open.sort_by_key(|(place, _)| *place);
        if let Some((_, first)) = open.first() {
            assert!(i64::from(first.quantity) > self.available(product), "could be served");
        }
        let left = self.left(product, |held| !matches!(held, Held::Soft(_)));
        for (_, reserve) in open {
            assert!(i64::from(reserve.quantity) <= left, "cannot be had, and is not told");
        }
    }

    /// The rows as they must be, of those that were written.
    pub(super) fn rows_are_right(&self, rows: &BTreeMap<Vec<u8>, Row>) {
        for ((product_id, warehouse_id), (on_hand, wanted, version)) in &self.counted {
            let place = (*product_id, *warehouse_id);
            let allocated = self.sum(place, |held| *held == Held::Sold);
            let reserved = self.sum(place, |held| *held != Held::Sold);
            let unclaimed = on_hand - reserved - allocated;
            let row = Row::from(StockRow {
                product_id: *product_id,
                warehouse_id: *warehouse_id,
                on_hand: *on_hand,
                available: (unclaimed - wanted).max(0),
                reserved,
                allocated,
                safety_stock: unclaimed.min(*wanted),
                safety_stock_wanted: u32::try_from(*wanted).unwrap(),
                version: *version,
            });
            assert_eq!(rows.get(&row.key()), Some(&row));
        }
        let open_rows = rows.values().filter(|row| matches!(row, Row::Reservations(_)));
        let found: Vec<_> = open_rows.filter(|row| !row.is_deleted()).cloned().collect();
        let mut expected: Vec<Row> = Vec::new();
        for ((product_id, order_id), (held, levels)) in &self.claims {
            if let Held::Soft(until) | Held::Firm(until) = held {
                expected.push(Row::from(ReservationRow {
                    product_id: *product_id,
                    order_id: *order_id,
                    levels: levels.clone(),
                    expires_at: *until,
                    ended: false,
                }));
            }
        }
        expected.sort_by_key(Row::key);
        assert_eq!(found, expected);
    }

    /// Every answer has its event before it, and no other is given.
    pub(super) fn answers(&self, events: &[Decided], messages: &[ToCustomer]) {
        let told = |event: &Decided| {
            matches!(
                event.event,
                Event::StockReserved(_) | Event::StockRefused(_) | Event::ReservationRevoked(_)
            )
        };
        let events: Vec<_> =
            events.iter().filter(|e| told(e)).map(|e| (e.cause_id, e.correlation)).collect();
        let answer = |message: &ToCustomer| match &message.body {
            CustomerMessage::Reserved { order, .. }
            | CustomerMessage::Refused { order, .. }
            | CustomerMessage::Revoked { order, .. } => Some((message.cause_id, order.words())),
            CustomerMessage::Record(_) | CustomerMessage::Price { .. } => None,
        };
        assert_eq!(messages.iter().filter_map(answer).collect::<Vec<_>>(), events);
    }
}

//! Lines of orders at their product: asked for, queued, served, and what becomes of their claims.

use super::product::{Origin, Work};
use crate::shards::keys::Keys;
use machines::catalog;
use machines::message::{Cause, CustomerMessage, Place, ProductMessage, Reserve};
use machines::reservation::{self, Answer, Change, Claim, Command, Reservation, Waiting};
use schemas::id::OrderId;

impl Work<'_> {
    /// Lets lapse the reservations of this product that are due, in the order of (deadline, order).
    pub(super) fn lapse(&mut self) {
        let now = self.context.now;
        if self.product.chains.due > now {
            return;
        }
        let mut due = Vec::new();
        let mut next = self.product.chains.reserved.first();
        while let Some(at) = next {
            let entry = self.claims.get(at);
            let Claim::Reserved(held) = entry.claim() else { break };
            if held.expires_at > now {
                break;
            }
            due.push((held.expires_at, entry.order, at));
            next = self.claims.behind(at);
        }
        due.sort_unstable();
        for (_, order, at) in due {
            self.settle(at, order, Command::Expire);
        }
    }

    pub(super) fn message(&mut self, keys: &mut Keys, body: ProductMessage) {
        match body {
            ProductMessage::Warehouse(_) => {}
            ProductMessage::Record(event) => self.record(keys, *event),
            ProductMessage::Reserve(reserve) => self.ask(reserve),
            ProductMessage::Secure { order, place, .. } => {
                self.command(order, place, Command::Secure);
            }
            ProductMessage::Release { order, place, .. } => {
                self.command(order, place, Command::Release);
            }
            ProductMessage::Confirm { order, place, .. } => {
                self.command(order, place, Command::Confirm);
            }
            ProductMessage::Expire { order, place, .. } => {
                self.command(order, place, Command::Expire);
            }
            ProductMessage::AskPrice { product, customer, action, quantity } => {
                let price = catalog::price(self.product.listing.as_ref(), quantity);
                let [hi, lo] = action.words();
                self.mix(&[7, hi, lo, u64::from(quantity)]);
                let price = CustomerMessage::Price { customer, action, product, quantity, price };
                self.tell(self.origin(), price);
            }
        }
    }

    fn command(&mut self, order: OrderId, place: Place, command: Command) {
        let [hi, lo] = order.words();
        self.mix(&[command as u64, hi, lo]);
        match self.claims.find(self.at, order, place) {
            Some(at) => self.settle(at, order, command),
            None => assert!(reservation::decide(None, command, self.context.now).is_none()),
        }
    }

    /// Carries out a command on a claim that is there.
    pub(super) fn settle(&mut self, at: u32, order: OrderId, command: Command) {
        let claim = self.claims.get(at).claim();
        let Some(change) = reservation::decide(Some(claim), command, self.context.now) else {
            return;
        };
        let origin = match (command, claim) {
            (Command::Expire, Claim::Reserved(held)) => {
                let cause = Cause::timer(held.expires_at, order);
                Origin { cause, cause_id: held.cause_id }
            }
            (
                Command::Secure
                | Command::Release
                | Command::Confirm
                | Command::Revoke
                | Command::Expire,
                _,
            ) => self.origin(),
        };
        self.change(at, order, Some(origin), change);
    }

    /// Applies a change to a claim that is there, and tells of it.
    pub(super) fn change(
        &mut self,
        at: u32,
        order: OrderId,
        origin: Option<Origin>,
        change: Change,
    ) {
        let claim = self.claims.get(at).claim();
        let event = reservation::event(self.product.id, order, Some(claim), &change);
        let (chains, stock) = (&mut self.product.chains, &mut self.product.stock);
        let levels =
            self.claims.change(chains, at, |claim| reservation::evolve(stock, claim, change));
        self.touch_levels(levels);
        match (event, origin) {
            (Some(event), Some(origin)) => {
                self.touch_claim(at, order);
                self.emit(origin, order.words(), event);
            }
            (Some(_), None) | (None, _) => self.mix(&order.words()),
        }
    }

    fn ask(&mut self, reserve: Reserve) {
        let [hi, lo] = reserve.order.words();
        let line = u64::from(reserve.quantity) << 32 | u64::from(reserve.line);
        let [expires_at, price] =
            [reserve.expires_at.0, reserve.price.unwrap_or(-1)].map(i64::cast_unsigned);
        self.mix(&[hi, lo, line, expires_at, price]);
        if let Some(queued) = self.claims.find(self.at, reserve.order, Place::UNKNOWN) {
            // A place in the queue that is past its deadline may still be there: it counts no more.
            self.settle(queued, reserve.order, Command::Expire);
            if self.claims.find(self.at, reserve.order, Place::UNKNOWN).is_some() {
                panic!("I4: {} asks again for what it holds", reserve.order);
            }
        }
        let line = Waiting { reserve, cause: self.cause, cause_id: self.cause_id };
        let first = self.product.chains.waiting.first().is_none();
        if self.waits(&line, None, first) {
            let chains = &mut self.product.chains;
            self.claims.insert(chains, self.at, reserve.order, Claim::Waiting(Box::new(line)));
            self.set_asked_max(self.product.asked_max.max(reserve.quantity));
        }
    }

    /// Answers a line, which may stand in the queue at `queued`; or lets it wait.
    fn waits(&mut self, line: &Waiting, queued: Option<u32>, first: bool) -> bool {
        let (listing, stock) = (self.product.listing.as_ref(), &self.product.stock);
        let answer = reservation::answer(listing, stock, self.warehouses, line, first);
        let Reserve { order, line: number, .. } = line.reserve;
        let origin = Origin { cause: line.cause, cause_id: line.cause_id };
        match answer {
            Answer::Reserved(held) => {
                let levels = held.levels.clone();
                let place = Place::new(self.open(queued, order, origin, held));
                let line = number;
                self.tell(origin, CustomerMessage::Reserved { order, line, levels, place });
            }
            Answer::Refused { reason, available } => {
                if let Some(at) = queued {
                    self.change(at, order, None, Change::Left);
                }
                self.mix(&[reason as u64, u64::from(available)]);
                let event = reservation::refusal(&line.reserve, reason, available);
                self.emit(origin, order.words(), event);
                let refused = CustomerMessage::Refused { order, line: number, reason, available };
                self.tell(origin, refused);
            }
            Answer::Wait => return true,
        }
        false
    }

    /// Opens a reservation, in the place of the queued line if it waited; gives its place.
    fn open(
        &mut self,
        queued: Option<u32>,
        order: OrderId,
        origin: Origin,
        held: Reservation,
    ) -> u32 {
        let change = Change::Reserved(held);
        if let Some(at) = queued {
            self.change(at, order, Some(origin), change);
            return at;
        }
        let event = reservation::event(self.product.id, order, None, &change);
        let mut claim = None;
        let levels = reservation::evolve(&mut self.product.stock, &mut claim, change);
        self.touch_levels(levels);
        let (claim, event) = claim.zip(event).expect("a reservation that opens is told of");
        let at = self.claims.insert(&mut self.product.chains, self.at, order, claim);
        self.touch_claim(at, order);
        self.emit(origin, order.words(), event);
        at
    }

    /// Serves the lines that wait, in the order in which they asked, and refuses those that firm
    /// claims now leave too little for.
    pub(super) fn serve(&mut self) {
        while let Some(at) = self.product.chains.waiting.first() {
            if self.still_waits(at, true).is_some() {
                break;
            }
        }
        if self.product.asked_max == 0 {
            return;
        }
        if self.product.stock.left_by_firm_claims() >= u64::from(self.product.asked_max) {
            return;
        }
        let mut asked_max = 0;
        let mut next = self.product.chains.waiting.first();
        while let Some(at) = next {
            next = self.claims.behind(at);
            asked_max = asked_max.max(self.still_waits(at, false).unwrap_or(0));
        }
        self.set_asked_max(asked_max);
    }

    fn set_asked_max(&mut self, asked_max: u32) {
        self.product.asked_max = asked_max;
        self.changed.unsaved.mark(self.at);
    }

    /// Answers a line in the queue; the units it still waits for. Past its deadline it loses its
    /// place without an answer: its order is over, and knows.
    fn still_waits(&mut self, at: u32, first: bool) -> Option<u32> {
        let Claim::Waiting(line) = self.claims.get(at).claim() else { return None };
        let line = **line;
        if line.reserve.expires_at <= self.context.now {
            self.change(at, line.reserve.order, None, Change::Left);
            return None;
        }
        self.waits(&line, Some(at), first).then_some(line.reserve.quantity)
    }
}

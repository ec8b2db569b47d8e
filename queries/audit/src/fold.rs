//! The whole shop as plain maps, an epoch at a time: the second opinion.

use crate::carts::Others;
use crate::deadlines::Deadlines;
use crate::epoch::{Epoch, Output};
use crate::intake::Intake;
use crate::orders::Orders;
use crate::stock::{Bench, Stock};
use crate::verdicts::Verdicts;
use schemas::events::Event;
use schemas::id::OrderId;
use schemas::topic::Topic;

#[derive(Default)]
pub(crate) struct Fold {
    pub(crate) orders: Orders,
    pub(crate) stock: Stock,
    pub(crate) others: Others,
    pub(crate) intake: Intake,
    pub(crate) deadlines: Deadlines,
}

impl Fold {
    /// Takes in an epoch, and judges it.
    pub(crate) fn epoch(&mut self, epoch: &mut Epoch, verdicts: &mut Verdicts) {
        self.deadlines.begin(epoch.now, epoch.rules_version);
        let (orders, others) = (&mut self.orders, &mut self.others);
        self.intake.take(epoch, &self.deadlines, orders, others, verdicts);
        let mut touched: Vec<OrderId> = Vec::new();
        for output in std::mem::take(&mut epoch.outputs) {
            touched.extend(self.output(epoch, output, verdicts));
        }
        touched.sort_unstable();
        touched.dedup();
        for order in touched {
            self.orders.look(order, &self.stock, verdicts);
        }
        self.intake.settle(&self.deadlines, &self.orders, &self.others);
        self.orders.end_epoch();
        self.deadlines.end();
    }

    fn output(
        &mut self,
        epoch: &Epoch,
        output: Output,
        verdicts: &mut Verdicts,
    ) -> Option<OrderId> {
        // An order's own event may be what makes its timer known.
        let began = self.intake.began(output.envelope.causation_id);
        self.intake.effect(&output, epoch.now, &self.orders, verdicts);
        let Output { place, envelope, event } = output;
        let (now, deadlines) = (epoch.now, &self.deadlines);
        let mut bench = Bench { place, began, now, verdicts, deadlines };
        let kind = event.kind();
        if let Event::ProductActionRejected(e) = event {
            self.others.refuse_on_product(e.action_id, e.reason, epoch.number);
            return None;
        }
        if place.partition.topic == Topic::Inventory {
            if let Event::StockReserved(e) = &event {
                self.orders.reserve(e);
            }
            return self.stock.fold(event, &self.orders, &mut bench);
        }
        if let Event::CartChanged(e) = event {
            self.others.change(&e, &mut bench);
            return None;
        }
        if let Event::CartCleared(e) = event {
            self.others.clear(&e, &mut bench);
            return None;
        }
        if let Event::CustomerActionRejected(e) = event {
            self.others.refuse(e.action_id, e.reason, e.order_id);
            return None;
        }
        let lapsed = matches!(&event, Event::OrderCancelled(e)
            if e.reason == schemas::events::orders::Reason::ReservationExpired);
        let order = self.orders.fold(event, epoch.deadline, &mut bench)?;
        if place.partition.topic == Topic::Orders {
            self.orders.note(order, epoch.number, kind, &envelope, began);
        }
        if lapsed {
            self.deadlines.fired(order.group());
        }
        Some(order)
    }

    /// At the end of the log. `decided` is the last epoch known to have been decided.
    pub(crate) fn close(&mut self, decided: u64, verdicts: &mut Verdicts) {
        self.stock.close(verdicts);
        self.orders.close(decided, &self.deadlines, &self.stock, verdicts);
        self.intake.close(decided, verdicts);
    }
}

//! Faults in a running engine, for the tests in which the audit must name them.
//!
//! Only the feature `sabotage` can arm them, and only the root package's tests switch it on: in the
//! shipped command a [`Faults`] is empty and its hooks do nothing.
//!
//! Hooks sit where the operators' own checks do not look: messages are altered on their way to a
//! shard, which then decides what it is told; events and rows after they were decided. So a fault
//! gets past the guards of the machines and past the digests, and what it breaks is the shop.

#[cfg(feature = "sabotage")]
pub use armed::{Faults, Hooks};
#[cfg(not(feature = "sabotage"))]
pub use unarmed::Faults;

#[cfg(not(feature = "sabotage"))]
mod unarmed {
    use crate::epoch::Part;
    use machines::message::Context;

    /// No faults.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Faults;

    impl Faults {
        pub(crate) const fn context(self, _: usize, context: Context) -> Context {
            context
        }

        pub(crate) const fn messages<M>(self, _: &mut M) {}

        pub(crate) const fn part(self, _: usize, _: &mut Part) {}
    }
}

#[cfg(feature = "sabotage")]
mod armed {
    use crate::epoch::Part;
    use crate::shards::Decided;
    use machines::message::{Context, ToCustomer, ToProduct};
    use sinks::view_store::rows::Row;
    use std::any::Any;
    use std::sync::Arc;

    type Hook<T> = Option<Box<dyn Fn(&mut T) + Send + Sync>>;

    /// What is altered, and where.
    #[derive(Default)]
    pub struct Hooks {
        /// What decisions may read; first which operator's, as in
        /// [`Shard::OPERATOR`](crate::shard::Shard::OPERATOR).
        pub context: Hook<(usize, Context)>,
        /// A round's messages to customers, in canonical order.
        pub to_customers: Hook<Vec<ToCustomer>>,
        /// A round's messages to products, in canonical order.
        pub to_products: Hook<Vec<ToProduct>>,
        /// An operator's events of an epoch, decided and digested.
        pub events: Hook<Vec<Decided>>,
        /// An epoch's rows.
        pub rows: Hook<Vec<Row>>,
    }

    /// The faults of one engine.
    #[derive(Clone, Default)]
    pub struct Faults(Arc<Hooks>);

    impl From<Hooks> for Faults {
        fn from(hooks: Hooks) -> Self {
            Self(Arc::new(hooks))
        }
    }

    fn pull<T>(hook: &Hook<T>, what: &mut T) {
        if let Some(hook) = hook {
            hook(what);
        }
    }

    impl Faults {
        pub(crate) fn context(&self, operator: usize, context: Context) -> Context {
            let mut seen = (operator, context);
            pull(&self.0.context, &mut seen);
            seen.1
        }

        pub(crate) fn messages<M: 'static>(&self, messages: &mut M) {
            let messages: &mut dyn Any = messages;
            if let Some(messages) = messages.downcast_mut() {
                pull(&self.0.to_customers, messages);
            } else if let Some(messages) = messages.downcast_mut() {
                pull(&self.0.to_products, messages);
            }
        }

        pub(crate) fn part(&self, operator: usize, part: &mut Part) {
            pull(&self.0.events, &mut part.events[operator]);
            pull(&self.0.rows, &mut part.rows);
        }
    }
}

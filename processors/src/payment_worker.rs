//! x
use sinks::payment_gateway::PaymentGateway;
use std::sync::Arc;
pub struct PaymentWorker {}
impl PaymentWorker {
    pub fn start(_: Arc<dyn sinks::event_log::EventLog>, _: Arc<schemas::codec::Codec>, _: Arc<dyn PaymentGateway>, _: sinks::clock::Clock) -> Self { Self {} }
    pub fn stop(self) {}
}

//! In the place of a publisher, where outputs are never this process's to publish.

use crate::epoch::weight;
use crate::hub::Hub;
use crate::outputs::recycle;

/// Lets go of outputs, until the hub fails, or stops and nothing is left. Nothing is encoded.
pub fn discard(hub: &Hub) {
    let mut state = hub.lock();
    state.outputs_at = Some(0);
    hub.notify();
    while !state.failed() {
        let Some(finished) = state.to_publish.pop_front() else {
            if state.stopping && state.worker_done() {
                break;
            }
            state = hub.wait(state);
            continue;
        };
        drop(state);
        let (epoch, events) = (finished.info.context.epoch, weight(&finished.events));
        recycle(hub, finished);
        state = hub.lock();
        state.set_published(epoch, events);
        hub.notify();
    }
    state.checkpoints.all_published();
    hub.notify();
}

//! Worlds in which what happens is told and not drawn.

use super::super::history::steps;
use super::check;
use super::line::{Call, Crash, Moment};
use super::world::{STEPS, World};
use crate::engine::Role;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

impl World {
    /// Runs one process that makes a checkpoint behind each epoch and dies so, crash by crash: first
    /// with two workers, then with so many. Checks where it comes to; gives where it died.
    pub(super) fn story(&mut self, crashes: &[Crash], workers: usize) -> Vec<Crash> {
        self.log.heal();
        self.nodes.truncate(1);
        self.told = Some((crashes.iter().copied().collect(), workers));
        self.start_with(0, Role::Leads, 2);
        for step in steps(self.seed, STEPS).into_iter().take(STEPS) {
            self.say(&step);
            self.passes(Duration::from_millis(600));
            self.decide();
        }
        self.heal();
        self.end();
        let (stand, read) = self.published();
        assert_eq!(stand, read, "without copies on the way nothing is published twice");
        std::mem::take(&mut self.died_at)
    }

    /// A leader is stopped while it publishes and another takes over, with another number of
    /// workers; then it goes on. Gives how many outputs stand on the log, and how many are read.
    pub(super) fn pause_while_publishing(&mut self) -> (usize, usize) {
        self.log.heal();
        self.nodes.truncate(2);
        self.told = Some((VecDeque::new(), 3));
        self.start_with(0, Role::Leads, 2);
        self.start_with(1, Role::StandsBy, 3);
        for (index, step) in steps(self.seed, STEPS).iter().take(STEPS).enumerate() {
            let paused = Arc::clone(&self.nodes[0].life.as_ref().expect("it is alive").line);
            match index {
                3 => {
                    paused.will_crash(Crash { call: Call::Outputs, moment: Moment::Pause, nth: 0 })
                }
                6 => {
                    assert!(paused.is_stalled(), "it was stopped while it published");
                    paused.stall(false);
                }
                _ => {}
            }
            self.say(step);
            self.passes(Duration::from_millis(600));
            self.decide();
        }
        self.heal();
        self.end();
        self.published()
    }

    /// How many outputs stand on the log, and how many are read by who keeps the contract.
    fn published(&self) -> (usize, usize) {
        let all = self.log.all();
        let outputs = all.iter().filter(|record| record.output_id.is_some()).count();
        (outputs, check::read(&all).values().map(Vec::len).sum())
    }
}

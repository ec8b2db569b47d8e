//! What happens to the processes of a world, drawn from its seed: starts, pauses, deaths, and what
//! a death takes.

use super::line::{Call, Crash, Moment};
use super::world::{Node, World};
use crate::engine::Role;
use crate::protection::{Protection, is_off};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a crash may do to what a process keeps, apart from what is not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Somebody puts an older copy of the views in their place.
    OlderViews,
    /// A bit turns in a checkpoint.
    Rot,
}

impl World {
    /// What happens to a process in this step.
    pub(super) fn fate(&mut self, node: usize) {
        let what = self.draw(100);
        if self.draw(10) == 0 || self.loses == Some(Loss::OlderViews) {
            self.nodes[node].views.copy();
        }
        let silent = self.draw(10) == 0;
        self.nodes[node].files.silent.store(silent, Ordering::SeqCst);
        let Some(life) = &self.nodes[node].life else {
            if what < 60 {
                let role = self.role();
                self.start(node, role);
            }
            return;
        };
        if life.line.is_stalled() {
            life.line.stall(what < 40);
            return;
        }
        let line = Arc::clone(&life.line);
        match what {
            0..30 => line.will_crash(self.crash()),
            30..36 => line.cut(),
            36..46 => {
                self.count("process stalled");
                line.stall(true);
            }
            _ => {}
        }
    }

    fn crash(&mut self) -> Crash {
        const CALLS: [Call; 11] = [
            Call::Claim,
            Call::Plan,
            Call::Plan,
            Call::Outputs,
            Call::Outputs,
            Call::ReadPlans,
            Call::Apply,
            Call::Flush,
            Call::PutState,
            Call::PutMerged,
            Call::CreateManifest,
        ];
        const MOMENTS: [Moment; 3] = [Moment::Before, Moment::Midway, Moment::After];
        let call = CALLS[self.draw(CALLS.len() as u64) as usize];
        let moment = MOMENTS[self.draw(3) as usize];
        Crash { call, moment, nth: self.draw(3) as u32 }
    }

    pub(super) fn role(&mut self) -> Role {
        match self.draw(8) {
            0 => Role::Leads,
            1 => Role::TakesOver,
            2 => Role::Follows,
            3..6 => Role::StandsBy,
            _ => Role::StandsByHot,
        }
    }

    /// A process died that had messages left over, open timers, unpublished outputs.
    pub(super) fn died(&self, [left, timers, unpublished]: [bool; 3]) {
        self.count("crash");
        let had = [
            (left, "crash with messages left over"),
            (timers, "crash with open timers"),
            (unpublished, "crash with unpublished outputs"),
        ];
        had.into_iter().filter(|(had, _)| *had).for_each(|(_, what)| self.count(what));
    }

    /// What a crash does to what this process keeps.
    pub(super) fn loses(&mut self, node: usize) {
        let (draw, what) = (self.draw(u64::MAX), self.draw(24));
        let loss = self.loses.or(match what {
            0..3 => Some(Loss::OlderViews),
            3 => Some(Loss::Rot),
            _ => None,
        });
        let Node { views, files, .. } = &self.nodes[node];
        if views.crash(draw) {
            self.count("rows lost that were not durable");
        }
        if is_off(Protection::Durability) {
            self.log.forgets(draw % 40);
        }
        if self.told.is_some() {
            return;
        }
        if loss == Some(Loss::OlderViews) && views.restore_older() {
            self.count("older copy of the views restored");
        }
        if loss == Some(Loss::Rot) && files.rot(draw) {
            self.count("bit turned in a checkpoint");
        }
    }
}

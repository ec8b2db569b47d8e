//! Which of a mesh's workers are in this process.

/// A process's workers among all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The first of this process's workers.
    pub first: usize,
    /// How many this process has.
    pub workers: usize,
    /// How many there are in all processes.
    pub peers: usize,
}

impl Share {
    /// All of them: the mesh is this process.
    #[must_use]
    pub const fn alone(workers: usize) -> Self {
        Self { first: 0, workers, peers: workers }
    }

    /// Whether worker 0 is here: it gets all parts, dead letters belong to it.
    #[must_use]
    pub const fn is_head(self) -> bool {
        self.first == 0
    }

    /// Whether there are other processes.
    #[must_use]
    pub const fn has_others(self) -> bool {
        self.workers < self.peers
    }

    /// Of how many workers the parts come to this process.
    #[must_use]
    pub const fn parts(self) -> usize {
        if self.is_head() { self.peers } else { self.workers }
    }

    /// Which of this process's workers owns a key group; none: another process's does.
    #[must_use]
    pub fn here(self, group: u16) -> Option<usize> {
        let worker = usize::from(group) % self.peers;
        worker.checked_sub(self.first).filter(|worker| *worker < self.workers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_is_one_process_s() {
        for (processes, workers) in [(1, 1), (1, 3), (2, 1), (2, 2), (3, 2)] {
            let peers = processes * workers;
            let shares = (0..processes).map(|at| Share { first: at * workers, workers, peers });
            for group in 0..1_024 {
                let owners: Vec<_> = shares
                    .clone()
                    .filter_map(|share| share.here(group).map(|worker| share.first + worker))
                    .collect();
                assert_eq!(owners, [usize::from(group) % peers]);
            }
        }
    }
}

//! What the run cost, as Linux tells it under `/proc`. Elsewhere nothing is known, and nothing said.

use std::fs::read_to_string;
use std::time::Duration;

/// Ticks of `/proc` a second: USER_HZ, 100 on every Linux there is a Rust for.
const TICKS: f64 = 100.0;

/// CPU time until a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    own: Option<u64>,
    server: Option<u64>,
    /// All cores: busy, and all.
    machine: Option<(u64, u64)>,
}

/// Cores used between two moments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CoresUsed {
    pub(crate) own: Option<f64>,
    pub(crate) server: Option<f64>,
    /// All cores: busy, and all.
    pub(crate) machine: Option<(f64, f64)>,
}

impl Cpu {
    pub(crate) fn now(server_pid: Option<u32>) -> Self {
        Self {
            own: process_ticks("self"),
            server: server_pid.and_then(|pid| process_ticks(&pid.to_string())),
            machine: read_to_string("/proc/stat").ok().and_then(|text| machine_ticks(&text)),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "ticks of a machine's life fit 53 bits")]
    pub(crate) fn until(self, later: Self, took: Duration) -> CoresUsed {
        let cores = |from: Option<u64>, to: Option<u64>| {
            Some(to?.saturating_sub(from?) as f64 / TICKS / took.as_secs_f64().max(0.01))
        };
        CoresUsed {
            own: cores(self.own, later.own),
            server: cores(self.server, later.server),
            machine: cores(self.machine.map(|m| m.0), later.machine.map(|m| m.0))
                .zip(cores(self.machine.map(|m| m.1), later.machine.map(|m| m.1)))
                .filter(|&(_, all)| all > 0.0),
        }
    }
}

impl CoresUsed {
    /// What limited the run, as far as CPU time can tell; `None` if the machine does not tell.
    pub(crate) fn bottleneck(&self) -> Option<String> {
        let (busy, all) = self.machine?;
        let own = self.own.unwrap_or(0.0);
        let others = (busy - own - self.server.unwrap_or(0.0)).max(0.0);
        let (shop, others) = match self.server {
            Some(shop) => {
                (format!("the shop used {shop:.2} cores, "), format!("others {others:.2}"))
            }
            None => (String::new(), format!("the shop and others {others:.2}")),
        };
        let mostly_others = self.server.is_some_and(|shop| busy > 2.0 * (own + shop));
        let verdict = if busy / all <= 0.9 {
            "not CPU"
        } else if mostly_others {
            "other processes on this machine"
        } else {
            "the machine's CPU"
        };
        Some(format!("{verdict}: {shop}the generator {own:.2}, {others}, of {all:.0}"))
    }
}

/// The most memory the process has had, in bytes.
pub(crate) fn rss_peak_bytes(pid: u32) -> Option<u64> {
    rss_peak(&read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn rss_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn process_ticks(pid: &str) -> Option<u64> {
    user_and_system(&read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Fields 14 and 15, counted after the name, which may hold blanks and brackets.
fn user_and_system(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// user nice system idle iowait irq softirq steal: idle and iowait are not busy.
fn machine_ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> =
        line.split_ascii_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let all: u64 = ticks.iter().sum();
    let idle: u64 = ticks.get(3..5)?.iter().sum();
    Some((all - idle, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_writes() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(user_and_system(stat), Some(300));
        assert_eq!(machine_ticks("cpu  10 1 20 60 9 0 0 0 0 0\ncpu0 1"), Some((31, 100)));
        assert_eq!(rss_peak("Name:\tx\nVmHWM:\t    2048 kB\n"), Some(2_097_152));
        assert_eq!(rss_peak("Name:\tx\n"), None);
    }

    #[test]
    fn says_what_was_busy() {
        let at =
            |own, server, busy, all| Cpu { own: Some(own), server, machine: Some((busy, all)) };
        let two_seconds = Duration::from_secs(2);
        let verdict = |to: Cpu| {
            at(0, to.server.map(|_| 0), 0, 0).until(to, two_seconds).bottleneck().unwrap()
        };
        for (to, said) in [
            (
                at(100, Some(280), 390, 400),
                "the machine's CPU: the shop used 1.40 cores, the generator 0.50, others 0.05, of 2",
            ),
            (
                at(20, Some(40), 390, 400),
                "other processes on this machine: the shop used 0.20 cores, the generator 0.10, \
                 others 1.65, of 2",
            ),
            (at(20, None, 100, 400), "not CPU: the generator 0.10, the shop and others 0.40, of 2"),
        ] {
            assert_eq!(verdict(to), said);
        }
        let unknown = Cpu { own: None, server: None, machine: None };
        assert_eq!(unknown.until(unknown, two_seconds).bottleneck(), None);
    }
}

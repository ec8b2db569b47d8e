//! What was measured, and where.

use serde::Serialize;
use std::process::Command;

#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) memory_bytes: u64,
}

impl Machine {
    /// This one.
    pub(super) fn read() -> Self {
        let line = |file: &str, name: &str| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
            line.and_then(|line| line.split(':').nth(1).map(|value| value.trim().to_owned()))
        };
        let kib = line("/proc/meminfo", "MemTotal").and_then(|m| m.split(' ').next()?.parse().ok());
        Self {
            cpu: line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: kib.unwrap_or(0u64) * 1024,
        }
    }
}

/// The commit that was built, as far as the folder tells.
pub(super) fn commit() -> String {
    let output = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        Ok(_) | Err(_) => "unknown".to_owned(),
    }
}

//! A process of the build that runs the bench: a shop or a part of one, or a load beside it. It is asked as anybody
//! outside would ask it, and does not outlive the bench.

use super::caller::Caller;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A running shop.
pub(super) struct Process {
    child: Running,
    log: PathBuf,
    /// Who asks it.
    pub(super) caller: Caller,
}

/// A load that is sent until this is dropped.
pub(super) struct Load(Running);

/// Killed, if it has not ended before, when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts `watermart up` on this directory, with these flags more, and waits until it is ready.
    ///
    /// # Errors
    /// It does not get ready; the last it said is in here.
    pub(super) fn start(data: &Path, flags: &[&str]) -> Result<Self, String> {
        Self::start_part("up", data, flags)
    }

    /// The same of a part of the shop.
    ///
    /// # Errors
    /// As above.
    pub(super) fn start_part(part: &str, data: &Path, flags: &[&str]) -> Result<Self, String> {
        let log = data.with_extension("log");
        let kept = File::options().create(true).append(true).open(&log);
        let kept = kept.map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = command()?;
        command.args([part, "--json", "--data"]).arg(data).args(flags);
        let mut child = spawn(command.stdout(Stdio::piped()).stderr(kept))?;
        let stdout = child.0.stdout.take().expect("it is piped, as said above");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        let ready: Option<Value> = read.ok().and_then(|_| serde_json::from_str(&line).ok());
        let url = ready.as_ref().and_then(|ready| ready["url"].as_str());
        let url = url.ok_or_else(|| format!("the shop did not get ready: {}", last_words(&log)))?;
        Ok(Self { child, caller: Caller::at(url), log })
    }

    /// Kills it as a power cut would; back when it is gone.
    ///
    /// # Errors
    /// It cannot be killed.
    pub(super) fn kill(mut self) -> Result<(), String> {
        let killed = self.child.0.kill().and_then(|()| self.child.0.wait());
        killed.map(drop).map_err(|error| format!("could not kill the shop: {error}"))
    }

    /// Has it stop as an operator would; back when it has.
    ///
    /// # Errors
    /// It does not end well.
    pub(super) fn stop(mut self) -> Result<(), String> {
        let asked = kill_process(Pid::from_child(&self.child.0), Signal::TERM);
        let ended = asked.map_err(Into::into).and_then(|()| self.child.0.wait());
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("the shop ended with {status}: {}", last_words(&self.log))),
            Err(error) => Err(format!("could not stop the shop: {error}")),
        }
    }
}

impl Load {
    /// Sends `watermart load` with these flags to the shop at this URL.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn start(url: &str, flags: &[&str]) -> Result<Self, String> {
        let mut command = command()?;
        command.arg("load").args(flags).args(["--url", url]);
        spawn(command.stdout(Stdio::null()).stderr(Stdio::null())).map(Self)
    }

    /// Ends it.
    ///
    /// # Errors
    /// It had ended by itself: what was measured was without it.
    pub(super) fn end(mut self) -> Result<(), String> {
        let ended: Option<ExitStatus> =
            self.0.0.try_wait().map_err(|error| format!("could not look at the load: {error}"))?;
        ended.map_or(Ok(()), |status| Err(format!("the load ended before its time: {status}")))
    }
}

/// This build's command, without what the environment says of flags: a bench says its own.
fn command() -> Result<Command, String> {
    let path = std::env::current_exe();
    let path = path.map_err(|error| format!("could not find this program's file: {error}"))?;
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("WATERMART_")) {
            command.env_remove(name);
        }
    }
    command.env("RUST_LOG", "warn").stdin(Stdio::null());
    Ok(command)
}

fn spawn(command: &mut Command) -> Result<Running, String> {
    command.spawn().map(Running).map_err(|error| format!("could not start a process: {error}"))
}

fn last_words(log: &Path) -> String {
    let said = std::fs::read_to_string(log).unwrap_or_default();
    said.lines().last().unwrap_or("it said nothing").to_owned()
}

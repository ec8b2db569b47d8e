//! A process's place in a mesh of several, as `--hosts` and `--host-index` say.

use crate::cli::{Place, Work};
use crate::engine;
use crate::exit::Failure;
use processors::mesh::{Mesh, Plan};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Processes of a mesh: each has connections with each.
const HOSTS_MAX: usize = 32;
/// No more workers have a key group.
const WORKERS_MAX: usize = 1_024;

/// Listens at this process's place, if it has one. The processes of a mesh work on the same
/// `namespace`.
///
/// # Errors
/// Which flag cannot be used; nobody can listen there.
pub(crate) fn listen(
    place: &Place,
    work: &Work,
    namespace: &str,
) -> Result<Option<Arc<Mesh>>, Failure> {
    let Some(plan) = plan(place, work, namespace)? else { return Ok(None) };
    Mesh::listen(plan).map(|mesh| Some(Arc::new(mesh))).map_err(engine::failure)
}

fn plan(place: &Place, work: &Work, namespace: &str) -> Result<Option<Plan>, Failure> {
    let Place { hosts, host_index: Some(index) } = place.clone() else { return Ok(None) };
    let workers = usize::from(work.workers);
    if let Some(host) = hosts.iter().find(|host| !is_address(host)) {
        return Err(Failure::flag("hosts", format!("`{host}` is not HOST:PORT")));
    }
    if hosts.iter().collect::<BTreeSet<_>>().len() < hosts.len() {
        return Err(Failure::flag("hosts", "one of them is named twice"));
    }
    if !(2..=HOSTS_MAX).contains(&hosts.len()) {
        let detail = format!("a mesh has 2 to {HOSTS_MAX} processes; leave it out for one");
        return Err(Failure::flag("hosts", detail));
    }
    if index >= hosts.len() {
        let detail = format!("{index} is none of {} hosts; the first is 0", hosts.len());
        return Err(Failure::flag("host-index", detail));
    }
    if hosts.len() * workers > WORKERS_MAX {
        let detail = format!("a mesh has at most {WORKERS_MAX} in all its processes");
        return Err(Failure::flag("workers", detail));
    }
    if work.checkpoints_url == "embedded:" {
        let detail = "`embedded:` is this process's alone; give all of the mesh the same \
                      `file:///folder`, or `none:`";
        return Err(Failure::flag("checkpoints-url", detail));
    }
    Ok(Some(Plan { cluster: namespace.to_owned(), hosts, index, workers }))
}

fn is_address(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(name, port)| {
        !name.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn planned(flags: &[&str]) -> Result<Option<Plan>, String> {
        let words = ["watermart", "process"].iter().chain(flags);
        let parsed = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        let Command::Process(process) = parsed.command else { panic!("not `process`") };
        plan(&process.place, &process.work, "shop").map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_process_is_alone_or_has_a_place_among_hosts() {
        assert_eq!(planned(&[]), Ok(None));
        let flags = ["--hosts", "h0:7000,h1:7000", "--host-index", "1", "--workers", "2"];
        let shared = ["--checkpoints-url", "file:///shared"];
        let plan = Plan {
            cluster: "shop".to_owned(),
            hosts: ["h0:7000", "h1:7000"].map(str::to_owned).to_vec(),
            index: 1,
            workers: 2,
        };
        assert_eq!(planned(&[&flags[..], &shared].concat()), Ok(Some(plan)));
    }

    #[test]
    fn what_makes_no_mesh_is_refused_with_its_flag() {
        let none = ["--checkpoints-url", "none:"];
        for (flags, flag) in [
            (&["--hosts", "h0:7000,h1:7000"][..], "--host-index"),
            (&["--host-index", "0"], "--hosts"),
            (&["--hosts", "h0:7000,h1", "--host-index", "0"], "--hosts: `h1`"),
            (&["--hosts", "h0:7000,h1:0", "--host-index", "0"], "--hosts: `h1:0`"),
            (&["--hosts", "h0:7000,h0:7000", "--host-index", "0"], "--hosts: one"),
            (&["--hosts", "h0:7000", "--host-index", "0"], "--hosts: a mesh has 2"),
            (&["--hosts", "h0:7000,h1:7000", "--host-index", "2"], "--host-index: 2"),
        ] {
            let refused = planned(&[flags, &none].concat()).unwrap_err();
            assert!(refused.contains(flag), "{refused}");
        }
        let hosts: Vec<_> = (0..32).map(|at| format!("h{at}:7000")).collect();
        let flags = ["--hosts", &hosts.join(","), "--host-index", "0", "--workers", "33"];
        let refused = planned(&[&flags[..], &none].concat()).unwrap_err();
        assert!(refused.starts_with("--workers: "), "{refused}");
        let refused = planned(&["--hosts", "a:1,b:1", "--host-index", "0"]).unwrap_err();
        assert!(refused.starts_with("--checkpoints-url: "), "{refused}");
    }
}

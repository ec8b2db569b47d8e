//! A mesh goes on behind a checkpoint, whatever mesh it was made in: the head keeps them for all.

use super::super::checkpoints::{ALWAYS, check, reference, replay_from};
use super::super::determinism::{Outcome, rows};
use super::super::scribe::Scribe;
use super::*;
use sinks::checkpoint_store::CheckpointStore;
use sinks::view_store::ViewStore;
use sinks::view_store::embedded::EmbeddedViews;
use std::time::Duration;
use tempfile::TempDir;

/// Does what is planned in `dir`, by so many processes of so many workers, with a checkpoint behind
/// each epoch.
fn replay_in_mesh(dir: &Path, processes: usize, workers: usize) -> Outcome {
    let folder = dir.join("checkpoints");
    let kept = Arc::new(CheckpointStore::open_folder(&folder).unwrap());
    let url = format!("file://{}", folder.display());
    let views: Arc<dyn ViewStore> = Arc::new(EmbeddedViews::open(&dir.join("views")).unwrap());
    let log = open(dir);
    let engines = start_all(planned(processes, workers), |index| match index {
        0 => Parts {
            views: Some(Arc::clone(&views)),
            checkpoints: Some((Arc::clone(&kept), Duration::ZERO)),
            ..on(&log)
        },
        _ => {
            let store = Arc::new(CheckpointStore::open_to_read(&url).unwrap());
            Parts { checkpoints: Some((store, Duration::ZERO)), ..on(&log) }
        }
    });
    let end = log.ends(&[EPOCHS]).unwrap()[0];
    engines.iter().for_each(|engine| engine.wait_replayed(end).unwrap());
    let digests = engines[0].digests();
    let dumps = Engine::stop_all_with_dump(engines).unwrap();
    let lines = dumps.iter().flat_map(|dump| std::str::from_utf8(dump).unwrap().lines());
    let mut state: Vec<_> = lines.map(str::to_owned).collect();
    state.sort_unstable();
    let outcome =
        Outcome { digests, outputs: outputs(log.as_ref()), rows: rows(views.as_ref()), state };
    log.close();
    outcome
}

/// One process of two workers, two of one, three of one, two of two and one of one, one after the
/// other: all that is on the log, in the views and in memory is as of one process that never stopped.
#[test]
fn it_is_rescaled_between_any_numbers_of_processes_and_workers() {
    let steps = steps(SEED, STEPS);
    let reference = reference(&steps);
    let (dir, mut scribe) = (TempDir::new().unwrap(), Scribe::new());
    let shapes = [(1, 2), (2, 1), (3, 1), (1, 1), (2, 2), (1, 3)];
    let mut done = 0;
    for (round, (processes, workers)) in shapes.into_iter().enumerate() {
        let is_last = round + 1 == shapes.len();
        let (from, to) = (round * 10, if is_last { steps.len() } else { (round + 1) * 10 });
        scribe.write(&dir.path().join("log"), &steps[from..to], AS_WRITTEN);
        let outcome = if processes == 1 {
            replay_from(dir.path(), workers, ALWAYS).unwrap()
        } else {
            replay_in_mesh(dir.path(), processes, workers)
        };
        done += outcome.digests.len();
        if is_last {
            check(&outcome, &reference, "six shapes in turn");
        }
    }
    // Each goes on where the one before it stopped.
    assert!((steps.len()..steps.len() + shapes.len()).contains(&done), "{done} epochs done");
}

/// The last of them is a mesh: what its members loaded is in their memory and their outputs.
#[test]
fn members_load_what_the_head_says() {
    let steps = steps(SEED, STEPS);
    let (reference, dir, mut scribe) = (reference(&steps), TempDir::new().unwrap(), Scribe::new());
    let log = dir.path().join("log");
    scribe.write(&log, &steps[..40], AS_WRITTEN);
    replay_from(dir.path(), 1, ALWAYS).unwrap();
    scribe.write(&log, &steps[40..], AS_WRITTEN);
    let outcome = replay_in_mesh(dir.path(), 2, 2);
    check(&outcome, &reference, "two processes of two");
    assert_eq!(outcome.digests.len(), steps.len() - 40, "it goes on behind the fortieth epoch");
}

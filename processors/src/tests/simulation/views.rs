//! A view store in memory that keeps the port's contract: at a crash it goes back to a state between
//! the last that it called durable and the newest, rows and mark together.

use super::line::{Call, Line, Moment};
use sinks::view_store::rows::{Row, View};
use sinks::view_store::{Mark, Stored, ViewError, ViewStore};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

type Rows = BTreeMap<(usize, Vec<u8>), Stored>;

/// Rows and their mark, as of some epoch.
#[derive(Clone, Default)]
struct Copy {
    rows: Rows,
    mark: Arc<Mark>,
}

impl Copy {
    fn apply(&mut self, rows: &[Row], mark: &Mark) {
        let version = mark.version();
        for row in rows {
            let key = (row.view() as usize, row.key());
            self.rows.insert(key, Stored { version, row: row.clone() });
        }
        self.mark = Arc::new(mark.clone());
    }
}

struct Kept {
    newest: Copy,
    durable: Copy,
    /// Applied and not durable.
    since: Vec<(Vec<Row>, Mark)>,
    /// Made some time ago, as a person makes one.
    older: Option<Copy>,
    marks: watch::Sender<Arc<Mark>>,
}

/// The store of one process, whatever its lives.
pub(super) struct Views(Mutex<Kept>);

impl Views {
    pub(super) fn new() -> Arc<Self> {
        let newest = Copy::default();
        let marks = watch::Sender::new(Arc::clone(&newest.mark));
        let (durable, since) = (newest.clone(), Vec::new());
        Arc::new(Self(Mutex::new(Kept { newest, durable, since, older: None, marks })))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As a process sees it.
    pub(super) fn over(self: &Arc<Self>, line: Arc<Line>) -> Arc<dyn ViewStore> {
        Arc::new(ViewsLine { views: Arc::clone(self), line })
    }

    /// The machine stops: of what is not durable, the first so many epochs are there all the same.
    /// Gives whether some were lost.
    pub(super) fn crash(&self, draw: u64) -> bool {
        let mut kept = self.lock();
        let survive = usize::try_from(draw % (kept.since.len() as u64 + 1)).expect("a few");
        let lost = survive < kept.since.len();
        let since = std::mem::take(&mut kept.since);
        for (rows, mark) in &since[..survive] {
            kept.durable.apply(rows, mark);
        }
        kept.stands_at_durable();
        lost
    }

    pub(super) fn copy(&self) {
        let mut kept = self.lock();
        kept.older = Some(kept.durable.clone());
    }

    /// Somebody puts the older copy in the place of the store; false: there is none.
    pub(super) fn restore_older(&self) -> bool {
        let mut kept = self.lock();
        let Some(older) = kept.older.take() else { return false };
        (kept.durable, kept.since) = (older, Vec::new());
        kept.stands_at_durable();
        true
    }

    /// Living rows, for comparison.
    pub(super) fn rows(&self) -> Vec<(usize, Vec<u8>, i64, String)> {
        let kept = self.lock();
        let live = kept.newest.rows.iter().filter(|(_, stored)| !stored.row.is_deleted());
        live.map(|((view, key), stored)| {
            (*view, key.clone(), stored.version, format!("{:?}", stored.row))
        })
        .collect()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.lock().newest.mark.epoch
    }
}

impl Kept {
    fn stands_at_durable(&mut self) {
        self.newest = self.durable.clone();
        self.marks.send_replace(Arc::clone(&self.newest.mark));
    }
}

struct ViewsLine {
    views: Arc<Views>,
    line: Arc<Line>,
}

fn gone<E>(_: E) -> ViewError {
    ViewError::Unavailable("the process is dead".to_owned())
}

impl ViewStore for ViewsLine {
    fn apply(&self, rows: Vec<Row>, mark: Mark) -> Result<(), ViewError> {
        let pass = self.line.enter(Call::Apply).map_err(gone)?;
        let mut kept = self.views.lock();
        // All of them or none.
        if mark.version() > kept.newest.mark.version() && pass.dies != Some(Moment::Midway) {
            kept.newest.apply(&rows, &mark);
            kept.since.push((rows, mark));
            let mark = Arc::clone(&kept.newest.mark);
            kept.marks.send_replace(mark);
        }
        drop(kept);
        self.line.leave(&pass).map_err(gone)
    }

    fn get(&self, view: View, key: &[u8]) -> Result<Option<Stored>, ViewError> {
        let kept = self.views.lock();
        let stored = kept.newest.rows.get(&(view as usize, key.to_vec()));
        Ok(stored.filter(|stored| !stored.row.is_deleted()).cloned())
    }

    fn scan(
        &self,
        view: View,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Stored)>, ViewError> {
        let kept = self.views.lock();
        let rows = kept.newest.rows.range((view as usize, prefix.to_vec())..);
        let rows = rows.map(|((of, key), stored)| (*of, key, stored));
        let fits = |(of, key, _): &(usize, &Vec<u8>, &Stored)| {
            *of == view as usize && key.starts_with(prefix)
        };
        let wanted = |(_, key, stored): &(usize, &Vec<u8>, &Stored)| {
            after.is_none_or(|after| key.as_slice() > after) && !stored.row.is_deleted()
        };
        let found = rows.take_while(fits).filter(wanted).take(limit);
        Ok(found.map(|(_, key, stored)| (key.clone(), stored.clone())).collect())
    }

    fn rows(&self, view: View) -> Result<u64, ViewError> {
        Ok(self.scan(view, &[], None, usize::MAX)?.len() as u64)
    }

    fn marks(&self) -> watch::Receiver<Arc<Mark>> {
        self.views.lock().marks.subscribe()
    }

    fn flush(&self) -> Result<(), ViewError> {
        let pass = self.line.enter(Call::Flush).map_err(gone)?;
        if pass.dies != Some(Moment::Midway) {
            let mut kept = self.views.lock();
            let since = std::mem::take(&mut kept.since);
            since.iter().for_each(|(rows, mark)| kept.durable.apply(rows, mark));
        }
        self.line.leave(&pass).map_err(gone)
    }
}

#[test]
fn they_keep_the_contract() {
    let open = || Views::new().over(Arc::new(Line::new(0, 0)));
    sinks::view_store::conformance::check_all(&mut || open());
}

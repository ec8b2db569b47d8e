//! Entries by number, in pieces of equal size: growing never moves or copies what is there, so
//! millions of products cost their own size and no more. A freed number is used again.

const PIECE: usize = 1024;

#[derive(Clone, Debug)]
pub(super) struct Arena<T> {
    pieces: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
}

impl<T> Arena<T> {
    pub(super) const fn new() -> Self {
        Self { pieces: Vec::new(), free: Vec::new() }
    }

    pub(super) fn insert(&mut self, entry: T) -> u32 {
        if let Some(at) = self.free.pop() {
            *self.place(at) = Some(entry);
            return at;
        }
        if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        let before = (self.pieces.len() - 1) * PIECE;
        let piece = self.pieces.last_mut().expect("one was pushed");
        piece.push(Some(entry));
        u32::try_from(before + piece.len() - 1).expect("4 billion entries do not fit in memory")
    }

    pub(super) fn remove(&mut self, at: u32) -> T {
        self.free.push(at);
        self.place(at).take().expect("only entries that are there are removed")
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> &T {
        let entry = &self.pieces[at as usize / PIECE][at as usize % PIECE];
        entry.as_ref().expect("a number is kept no longer than its entry")
    }

    /// The entry of a number that may be stale.
    #[inline]
    pub(super) fn peek(&self, at: u32) -> Option<&T> {
        self.pieces.get(at as usize / PIECE)?.get(at as usize % PIECE)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> &mut T {
        self.place(at).as_mut().expect("a number is kept no longer than its entry")
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let entries = self.pieces.iter().flatten().zip(0..);
        entries.filter_map(|(entry, at)| entry.as_ref().map(|entry| (at, entry)))
    }

    #[inline]
    fn place(&mut self, at: u32) -> &mut Option<T> {
        &mut self.pieces[at as usize / PIECE][at as usize % PIECE]
    }
}

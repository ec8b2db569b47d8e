//! Which entries of an arena changed since they were last saved, each once: a bit an entry, so that
//! marking touches little memory, and costs nothing where nothing is ever saved.

/// Numbers of entries that changed. The place of one that was removed may be another's by now.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    kept: bool,
    marked: Vec<u64>,
    numbers: Vec<u32>,
}

impl Changes {
    /// From now on changes are kept.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }

    pub(super) const fn is_kept(&self) -> bool {
        self.kept
    }

    #[inline]
    pub(super) fn mark(&mut self, number: u32) {
        if !self.kept {
            return;
        }
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if word >= self.marked.len() {
            self.marked.resize((word + 1).next_power_of_two(), 0);
        }
        if self.marked[word] & bit == 0 {
            self.marked[word] |= bit;
            self.numbers.push(number);
        }
    }

    /// Takes them; from here on all count as saved.
    pub(super) fn take(&mut self) -> Vec<u32> {
        let numbers = std::mem::take(&mut self.numbers);
        for number in &numbers {
            self.marked[(*number / 64) as usize] &= !(1 << (number % 64));
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_until_it_is_taken() {
        let mut changes = Changes::default();
        changes.mark(3);
        assert!(changes.take().is_empty(), "nothing is kept yet");
        changes.keep();
        for number in [3, 200, 3, 64, 200] {
            changes.mark(number);
        }
        assert_eq!(changes.take(), [3, 200, 64]);
        changes.mark(200);
        assert_eq!(changes.take(), [200]);
    }
}

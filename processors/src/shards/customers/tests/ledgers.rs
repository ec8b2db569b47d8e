//! Stories that a shopkeeper can read.

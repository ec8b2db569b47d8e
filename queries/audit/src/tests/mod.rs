//! Small logs made by hand: a clean one passes, and each thing that is broken in it is named.

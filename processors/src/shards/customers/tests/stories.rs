//! What the walks do not reach.

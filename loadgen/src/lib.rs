//! x
#[derive(Clone, Debug, clap::Args)]
pub struct Options {}

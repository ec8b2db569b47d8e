//! x
pub(crate) fn run(
    _: &loadgen::Options,
    _: &crate::cli::Global,
) -> Result<(), crate::exit::Failure> {
    Ok(())
}

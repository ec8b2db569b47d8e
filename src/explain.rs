//! x
pub(crate) fn run(
    _: &crate::cli::Explain,
    _: &crate::cli::Global,
) -> Result<(), crate::exit::Failure> {
    Ok(())
}

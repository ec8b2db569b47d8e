//! The schemas compiled in, as a registry: the id of an event is its number and one. Nobody can
//! register others, so an id beyond them is another build's.

use super::{RegistryError, SchemaRegistry, Version};
use schemas::compiled;
use schemas::events::EventKind;

/// The schemas of this build.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compiled;

impl SchemaRegistry for Compiled {
    fn register(&self, kind: EventKind) -> Result<u32, RegistryError> {
        Ok(u32::from(kind as u8) + 1)
    }

    fn versions(&self, kind: EventKind) -> Result<Vec<Version>, RegistryError> {
        let id = self.register(kind)?;
        Ok(vec![Version { id, text: compiled::schema(kind).to_owned() }])
    }

    fn schema(&self, id: u32) -> Result<String, RegistryError> {
        let place = id.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let kind = place.and_then(|place| EventKind::ALL.get(place));
        kind.map(|kind| compiled::schema(*kind).to_owned()).ok_or(RegistryError::Unknown(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema_registry::conformance;
    use schemas::codec::Codec;

    #[test]
    fn passes_the_conformance_suite() {
        conformance::check_all(&|| Box::new(Compiled));
    }

    #[test]
    fn its_ids_are_those_of_the_compiled_codec() {
        for kind in EventKind::ALL {
            assert!(Codec::compiled().knows(Compiled.register(*kind).unwrap()));
        }
        assert!(matches!(Compiled.schema(0), Err(RegistryError::Unknown(0))));
    }
}

//! Messages on their way to another process: as in a checkpoint, and with the places of claims, which
//! no checkpoint keeps. They say where the receiver, or whom it answers, has a claim in this run.

use machines::message::{Place, ToCustomer, ToProduct};
use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de};
use timely::ExchangeData;

/// What one operator tells the other.
pub trait Message: ExchangeData {
    /// The place of a claim that it tells, if it tells one.
    fn place(&self) -> Option<Place>;
    /// The same, to be set.
    fn place_mut(&mut self) -> Option<&mut Place>;
}

impl Message for ToCustomer {
    fn place(&self) -> Option<Place> {
        self.place()
    }
    fn place_mut(&mut self) -> Option<&mut Place> {
        self.place_mut()
    }
}

impl Message for ToProduct {
    fn place(&self) -> Option<Place> {
        self.place()
    }
    fn place_mut(&mut self) -> Option<&mut Place> {
        self.place_mut()
    }
}

/// Writes the messages, then the places that they tell.
pub(crate) fn serialize<M: Message, S: Serializer>(
    messages: &[M],
    s: S,
) -> Result<S::Ok, S::Error> {
    let places: Vec<u32> = messages.iter().filter_map(Message::place).map(Place::word).collect();
    (messages, places).serialize(s)
}

/// Reads what [`serialize`] wrote.
pub(crate) fn deserialize<'de, M: Message, D: Deserializer<'de>>(d: D) -> Result<Vec<M>, D::Error> {
    let (mut messages, places) = <(Vec<M>, Vec<u32>)>::deserialize(d)?;
    let mut places = places.into_iter();
    for place in messages.iter_mut().filter_map(Message::place_mut) {
        let word = places.next().ok_or_else(|| de::Error::custom("a claim's place is missing"))?;
        *place = Place::from_word(word);
    }
    Ok(messages)
}

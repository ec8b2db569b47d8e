//! Positions as callers see them: opaque tokens that a read can ask for with `?after=`.

use crate::topic::{Topic, TopicPartition};
use std::fmt;
use std::str::FromStr;

/// What an acknowledged action or a read stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// A record on the log.
    Record {
        /// Where it lies.
        partition: TopicPartition,
        /// Its offset there.
        offset: u64,
    },
    /// The end of an epoch.
    Epoch(u64),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record { partition: TopicPartition { topic, partition }, offset } => {
                write!(f, "r{}.{partition}.{offset}", *topic as u8)
            }
            Self::Epoch(epoch) => write!(f, "e{epoch}"),
        }
    }
}

/// The token is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position of this shop")]
pub struct NotAPosition;

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        fn number<T: FromStr>(text: Option<&str>) -> Result<T, NotAPosition> {
            text.filter(|t| t.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|t| t.parse().ok())
                .ok_or(NotAPosition)
        }
        if let Some(epoch) = text.strip_prefix('e') {
            return Ok(Self::Epoch(number(Some(epoch))?));
        }
        let mut parts = text.strip_prefix('r').ok_or(NotAPosition)?.split('.');
        let topic = Topic::from_number(number(parts.next())?).ok_or(NotAPosition)?;
        let (partition, offset) = (number(parts.next())?, number(parts.next())?);
        if parts.next().is_some() || partition >= topic.partitions() {
            return Err(NotAPosition);
        }
        Ok(Self::Record { partition: TopicPartition { topic, partition }, offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_a_forged_one_is_refused() {
        for text in ["r2.15.0", "r3.0.18446744073709551615", "e7"] {
            assert_eq!(text.parse::<Position>().map(|p| p.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "e", "e-1", "e+1", "r2.16.0", "r9.0.0", "r2.0", "r2.0.1.2", "x2.0.0"] {
            assert_eq!(text.parse::<Position>(), Err(NotAPosition), "{text}");
        }
    }
}

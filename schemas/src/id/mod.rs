//! Ids: text outside, 16 `Copy` bytes inside.
//!
//! A caller's id of up to 15 characters is kept as it is: a length byte and the text. A longer
//! one becomes the tag `0xff` and 120 bits of its SHA-256, and its text is remembered in one
//! table of the process, which only ever grows by the distinct long ids that the log holds.
//! Nothing is decided by that table: it gives the text back when an id is shown.
//!
//! Our own ids (orders, payments) are 16 bytes of a hash whose first ten bits are the key group
//! of the customer; they need no table.

mod base32;
mod callers;
mod event_id;
mod hashes;
mod inline;
mod ours;

pub use callers::{CustomerId, Id, PaymentMethod, ProductId, RegionId, SellerId, WarehouseId};
pub use event_id::EventId;
pub(crate) use event_id::fixed16;
pub use hashes::{KeyHash, action_id};
pub use ours::{ActionId, OrderId, PaymentId};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_id_shows_its_text_whatever_its_length() {
        for length in [1, 14, 15, 16, 64] {
            let text: String = ('a'..='z').cycle().take(length).collect();
            let id = Id::parse(&text).expect("legal");
            assert_eq!(id.to_string(), text);
            assert_eq!(Id::parse(&text), Some(id));
        }
        for text in ["", "a b", "a/b", "\u{e4}", &"a".repeat(65)] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }

    #[test]
    fn our_ids_read_back_and_carry_their_group() {
        let order = OrderId::new(1023, [0xab; 16]);
        assert_eq!(order.group(), 1023);
        let text = order.to_string();
        assert_eq!((text.len(), &text[..4]), (30, "ord_"));
        assert_eq!(OrderId::parse(&text), Some(order));
        assert_eq!(order.payment().order(), order);
        for text in ["ord_", "pay_00000000000000000000000000", "ord_z0000000000000000000000000"] {
            assert_eq!(OrderId::parse(text), None, "{text}");
        }
    }
}

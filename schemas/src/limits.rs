//! Every limit of the contract, each with its reason. Ingest refuses beyond them, the codec
//! refuses to decode beyond them, and the engine counts on them.

/// Lines of an order, and different products in a cart. Bounds what one record makes the engine do.
pub const LINES_MAX: usize = 100;
/// Units of one line or stock change: sums over a product's life then fit `i64` with room.
pub const QUANTITY_MAX: u32 = 1_000_000;
/// Price of one unit in minor units: 100 lines of 1,000,000 units still fit `i64`.
pub const PRICE_MAX: i64 = 10_000_000_000;
/// A sum of money in minor units: the dearest order there can be.
pub const AMOUNT_MAX: i64 = LINES_MAX as i64 * QUANTITY_MAX as i64 * PRICE_MAX;
/// Characters of a caller's id.
pub const ID_MAX: usize = 64;
/// Visible ASCII characters of an idempotency key.
pub const IDEMPOTENCY_KEY_MAX: usize = 255;
/// Warehouses one line may be split over. A shop with more serves the line from this many.
pub const SPLIT_MAX: usize = 32;
/// Bytes of one record's value on the log; what ingest accepts is smaller.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// Bytes that decoding one record may allocate: its own size, eight times over, for texts and
/// lists, which hold no more elements than the limits above.
pub const DECODE_BYTES_MAX: usize = 8 * RECORD_BYTES_MAX;
/// Characters of a human text: a product's name, an adjustment's reason.
pub const NAME_MAX: usize = 200;
/// Characters of a product's description.
pub const DESCRIPTION_MAX: usize = 10_000;
/// Attributes or image URLs of a product.
pub const ATTRIBUTES_MAX: usize = 50;
/// How long an idempotency key is remembered, in log time: 24 hours, in milliseconds.
pub const IDEMPOTENCY_KEY_KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// How long an order that is settled stays one whose rows may change, behind its last event: 7 days of
/// log time, in milliseconds. Longer than a key is remembered, and than payments are late.
pub const SETTLED_KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;

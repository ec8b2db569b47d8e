//! How fast events are read, against the way most readers of Avro in Rust go: apache-avro's
//! generic value first, the struct out of it second. For `watermart bench decode`.

use crate::codec::Codec;
use crate::compiled;
use crate::envelope::{Envelope, Role};
use crate::events::Event;
use crate::events::customer_actions::{CheckoutRequested, IdempotencyKey};
use crate::events::inventory::StockReserved;
use crate::events::lines::{Level, OrderLine, Split};
use crate::id::{
    CustomerId, EventId, Id, OrderId, PaymentMethod, ProductId, RegionId, WarehouseId,
};
use crate::money::Currency;
use crate::time::Timestamp;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use serde::de::DeserializeOwned;
use std::hint::black_box;
use std::time::Duration;

/// Decodings of one event in one way in one round: some milliseconds.
const DECODINGS: u32 = 5_000;
/// A zero byte and the schema's id.
const HEAD: usize = 5;

/// What one round took, in nanoseconds a record.
#[derive(Clone, Copy, Debug)]
pub struct DecodeRound {
    /// Our decoder: bytes to event.
    pub codec_ns: f64,
    /// apache-avro: bytes to value to event.
    pub value_ns: f64,
}

impl DecodeRound {
    /// How many times as fast ours is.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.value_ns / self.codec_ns
    }
}

/// All rounds, in order.
#[derive(Clone, Debug)]
pub struct DecodeFigures {
    /// A checkout of three lines.
    pub checkout_requested: Vec<DecodeRound>,
    /// A reservation at one warehouse.
    pub stock_reserved: Vec<DecodeRound>,
}

/// Decodes both events both ways in each of `rounds`, so that a machine that slows down slows
/// all of them. `clock` grows; where it starts does not matter.
///
/// # Panics
///
/// If the two ways do not read the same event.
#[must_use]
pub fn decode(rounds: usize, clock: &dyn Fn() -> Duration) -> DecodeFigures {
    let codec = Codec::compiled();
    let (checkout, reservation) = samples();
    let mut figures = DecodeFigures { checkout_requested: vec![], stock_reserved: vec![] };
    for _ in 0..rounds {
        figures.checkout_requested.push(round::<CheckoutRequested>(&codec, &checkout, clock));
        figures.stock_reserved.push(round::<StockReserved>(&codec, &reservation, clock));
    }
    figures
}

fn round<T: DeserializeOwned + Into<Event>>(
    codec: &Codec,
    event: &Event,
    clock: &dyn Fn() -> Duration,
) -> DecodeRound {
    let mut record = Vec::new();
    codec.encode(&envelope(), event, &mut record);
    let schema = apache_avro::Schema::parse_str(compiled::schema(event.kind()))
        .expect("a test parses each of them");
    let reader = GenericDatumReader::builder(&schema).build().expect("it has no loose names");
    let ours = || codec.decode(black_box(&record)).expect("just encoded");
    let by_value = || value_path::<T>(&reader, black_box(&record));
    assert_eq!(ours(), by_value(), "both ways read the same");
    DecodeRound { codec_ns: time(clock, ours), value_ns: time(clock, by_value) }
}

/// The record's value, and of it the envelope and the body, which our structs hold apart.
fn value_path<T: DeserializeOwned + Into<Event>>(
    reader: &GenericDatumReader<'_>,
    record: &[u8],
) -> (Envelope, Event) {
    let value = reader.read_value(&mut &record[HEAD..]).expect("just encoded");
    let Value::Record(mut fields) = value else { unreachable!("the schema is a record") };
    let (_, envelope) = fields.remove(0);
    let body = Value::Record(fields);
    let body: T = apache_avro::from_value(&body).expect("the schema is the struct's");
    (apache_avro::from_value(&envelope).expect("the schema is the struct's"), body.into())
}

/// Nanoseconds a call.
fn time<T>(clock: &dyn Fn() -> Duration, call: impl Fn() -> T) -> f64 {
    let start = clock();
    for _ in 0..DECODINGS {
        black_box(call());
    }
    (clock() - start).as_secs_f64() * 1e9 / f64::from(DECODINGS)
}

fn envelope() -> Envelope {
    Envelope {
        event_id: EventId([0x11; 16]),
        occurred_at: Timestamp(1_795_426_200_125),
        role: Role::Shopper,
        subject: Id::parse("c-4711"),
        causation_id: EventId([0x11; 16]),
        correlation_id: EventId([0x22; 16]),
    }
}

fn samples() -> (Event, Event) {
    let id = |text: &str| Id::parse(text).expect("legal");
    let order_id = OrderId::new(77, [0x22; 16]);
    let line = |product: &str, quantity| OrderLine {
        product_id: ProductId(id(product)),
        quantity,
        price: 1299,
    };
    let checkout = CheckoutRequested {
        order_id,
        customer_id: CustomerId(id("c-4711")),
        idempotency_key: IdempotencyKey::Text("0198a6b2-7c1d-7e3f-9a54-3d1f5b7c9e10".into()),
        lines: Some(vec![line("p-1001", 1), line("p-20482", 2), line("p-7", 12)]),
        currency: Currency::parse("EUR").expect("legal"),
        region: RegionId(id("eu-central")),
        payment_method: PaymentMethod(id("tok_ok")),
    };
    let reservation = StockReserved {
        product_id: ProductId(id("p-1001")),
        order_id,
        levels: Split::One(Level { warehouse_id: WarehouseId(id("berlin")), quantity: 2 }),
        expires_at: Timestamp(1_795_427_100_125),
        firm: false,
    };
    (checkout.into(), reservation.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn both_ways_are_timed_by_the_clock_that_is_given() {
        let now = Cell::new(Duration::ZERO);
        // Each way asks twice; the second way's decodings seem to take three times as long.
        let asked = Cell::new(0);
        let clock = || {
            asked.set(asked.get() + 1);
            let passed = [0, 5, 0, 15][(asked.get() - 1) % 4];
            now.set(now.get() + Duration::from_millis(passed));
            now.get()
        };
        let figures = decode(2, &clock);
        for rounds in [figures.checkout_requested, figures.stock_reserved] {
            let ratios: Vec<_> = rounds.iter().map(|round| round.ratio().round()).collect();
            assert_eq!(format!("{ratios:?}"), "[3.0, 3.0]");
            assert_eq!(rounds[0].codec_ns.round().to_string(), "1000");
        }
    }
}

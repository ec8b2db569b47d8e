//! Baskets from a Parquet file: six of its columns, row by row, whatever their number types.

use super::Row;
use super::columns::{self, Columns};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;
use ::parquet::schema::types::Type;
use schemas::time::Timestamp;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

pub(crate) fn read(path: &Path, names: &Columns, mut take: impl FnMut(Row)) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let reader = SerializedFileReader::new(file).map_err(|error| error.to_string())?;
    let schema = reader.metadata().file_metadata().schema();
    let fields = schema.get_fields();
    let places = names.places(fields.iter().map(|field| field.name()))?;
    let mut wanted = places;
    wanted.sort_unstable();
    let wanted_fields = wanted.iter().map(|&place| Arc::clone(&fields[place])).collect();
    let projection = Type::group_type_builder(schema.name())
        .with_fields(wanted_fields)
        .build()
        .map_err(|error| error.to_string())?;
    // In the projection columns stand in the file's order.
    let among = places.map(|place| wanted.partition_point(|&other| other < place));
    let rows = reader.get_row_iter(Some(projection)).map_err(|error| error.to_string())?;
    for (number, row) in rows.enumerate() {
        let row = row.map_err(|error| error.to_string())?;
        let values: Vec<&Field> = row.get_column_iter().map(|(_, value)| value).collect();
        let [basket, customer, product, quantity, price, time] = among.map(|place| values[place]);
        let wrong = |what: &str, value: &Field| format!("row {number}: {value} is no {what}");
        take(Row {
            basket: text(basket).ok_or_else(|| wrong("basket", basket))?,
            customer: text(customer).ok_or_else(|| wrong("customer", customer))?,
            product: text(product).ok_or_else(|| wrong("product", product))?,
            quantity: decimal(quantity).ok_or_else(|| wrong("quantity", quantity))?,
            price: decimal(price).ok_or_else(|| wrong("price", price))?,
            time: moment(time).ok_or_else(|| wrong("time", time))?,
        });
    }
    Ok(())
}

fn text(value: &Field) -> Option<String> {
    if let Field::Str(text) = value {
        return Some(text.trim().to_owned());
    }
    if let Some(whole) = integer(value) {
        return Some(whole.to_string());
    }
    // Some tools write whole numbers as doubles as soon as a column has a gap.
    let number = decimal(value).filter(|number| number.fract() == 0.0)?;
    Some(format!("{number:.0}"))
}

/// The library's enum has types we know nothing of; those are no numbers to us.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum, not ours")]
fn integer(value: &Field) -> Option<i64> {
    match *value {
        Field::Byte(n) => Some(n.into()),
        Field::Short(n) => Some(n.into()),
        Field::Int(n) => Some(n.into()),
        Field::Long(n) => Some(n),
        Field::UByte(n) => Some(n.into()),
        Field::UShort(n) => Some(n.into()),
        Field::UInt(n) => Some(n.into()),
        Field::ULong(n) => i64::try_from(n).ok(),
        _ => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum, not ours")]
#[expect(clippy::cast_precision_loss, reason = "quantities and prices are far below 2^53")]
fn decimal(value: &Field) -> Option<f64> {
    match value {
        Field::Float(n) => Some(f64::from(*n)),
        Field::Double(n) => Some(*n),
        Field::Str(text) => text.trim().parse().ok(),
        other => integer(other).map(|n| n as f64),
    }
}

/// A number without a type of its own is seconds since 1970, or, by its size, milliseconds,
/// microseconds or nanoseconds: those are a thousand times apart, and baskets are not.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum, not ours")]
fn moment(value: &Field) -> Option<Timestamp> {
    match value {
        Field::TimestampMillis(ms) => Some(Timestamp(*ms)),
        Field::TimestampMicros(us) => Some(Timestamp(us.div_euclid(1000))),
        Field::Date(days) => Some(Timestamp(i64::from(*days) * 86_400_000)),
        Field::Str(text) => columns::time(text),
        other => integer(other)
            .and_then(|n| match n.unsigned_abs() {
                0..100_000_000_000 => n.checked_mul(1000),
                100_000_000_000..100_000_000_000_000 => Some(n),
                100_000_000_000_000..100_000_000_000_000_000 => Some(n.div_euclid(1000)),
                _ => Some(n.div_euclid(1_000_000)),
            })
            .map(Timestamp),
    }
}

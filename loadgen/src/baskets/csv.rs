//! Baskets from a CSV file with a header. A row that cannot be read names its line.

use super::Row;
use super::columns::{self, Columns};
use ::csv::{Reader, StringRecord};
use std::path::Path;

pub(crate) fn read(path: &Path, names: &Columns, mut take: impl FnMut(Row)) -> Result<(), String> {
    let mut reader = Reader::from_path(path).map_err(|error| error.to_string())?;
    let places = names.places(reader.headers().map_err(|error| error.to_string())?.iter())?;
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| error.to_string())? {
        let [basket, customer, product, quantity, price, time] =
            places.map(|place| record.get(place).unwrap_or("").trim());
        let wrong = |what: &str, text: &str| {
            let line = record.position().map_or(0, ::csv::Position::line);
            format!("line {line}: {text:?} is no {what}")
        };
        let number = |what, text: &str| text.parse::<f64>().ok().ok_or_else(|| wrong(what, text));
        take(Row {
            basket: basket.to_owned(),
            customer: customer.to_owned(),
            product: product.to_owned(),
            quantity: number("quantity", quantity)?,
            price: number("price", price)?,
            time: columns::time(time).ok_or_else(|| wrong("time", time))?,
        });
    }
    Ok(())
}

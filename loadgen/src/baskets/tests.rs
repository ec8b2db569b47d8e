//! Files made here, and the baskets that must come of them.

use super::*;
use crate::options::tests::options;
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::ByteArray;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::sync::Arc;

fn product(text: &str) -> ProductId {
    ProductId::parse(text).unwrap()
}

fn basket(customer: &str, time: &str, lines: &[(&str, u32)]) -> Basket {
    Basket {
        customer_id: CustomerId::parse(customer).unwrap(),
        time: columns::time(time).unwrap(),
        lines: lines.iter().map(|&(id, quantity)| (product(id), quantity)).collect(),
    }
}

fn read_csv(flags: &[&str], text: &str) -> Result<Baskets, Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("baskets.csv");
    std::fs::write(&path, text).unwrap();
    read(&path, &options(&[&["replay"], flags].concat()))
}

const SOLD: &str = "\
basket,customer,product,quantity,price,time
b2,c2,milk,1,1.00,2017-01-02 10:00:00
b1,c1,milk,2,2.10,2017-01-01 10:05:00
b2,c2,bread,1,3.00,2017-01-02 10:00:00
b1,c1,milk,1,1.00,2017-01-01 10:00:00
";

fn sold() -> Baskets {
    Baskets {
        baskets: vec![
            basket("c1", "2017-01-01 10:00:00", &[("milk", 3)]),
            basket("c2", "2017-01-02 10:00:00", &[("milk", 1), ("bread", 1)]),
        ],
        prices: [(product("milk"), 100), (product("bread"), 300)].into(),
        left_out: LeftOut::default(),
    }
}

#[test]
fn rows_in_any_order_become_baskets_by_time() {
    assert_eq!(read_csv(&[], SOLD).unwrap(), sold());
}

#[test]
fn a_price_may_be_the_units() {
    let prices = read_csv(&["--price-is", "unit"], SOLD).unwrap().prices;
    assert_eq!(prices, [(product("milk"), 100), (product("bread"), 300)].into());
    let one = "basket,customer,product,quantity,price,time\nb,c,milk,2,2.10,2017-01-01\n";
    let milk = |flags: &[&str]| read_csv(flags, one).unwrap().prices[&product("milk")];
    assert_eq!((milk(&["--price-is", "unit"]), milk(&["--price-is", "line"])), (210, 105));
}

#[test]
fn rows_that_cannot_be_sold_are_left_out_and_counted() {
    let rows = "\
basket,customer,product,quantity,price,time
b1,c1,milk,1,1.00,2017-01-01
b1,c1,milk,1,0.00,2017-01-01
b1,c1,fuel,8012,20.03,2017-01-01
b1,c1,nuts,0.5,1.00,2017-01-01
b1,c1,nuts,0,1.00,2017-01-01
b1,c1,nuts,-1,1.00,2017-01-01
b1,c1,gift,1,0.00,2017-01-01
b1,c1,no id,1,1.00,2017-01-01
b2,c2,gift,1,0.00,2017-01-02
";
    let expected = Baskets {
        baskets: vec![basket("c1", "2017-01-01", &[("milk", 2)])],
        prices: [(product("milk"), 100)].into(),
        left_out: LeftOut { ids: 1, quantities: 4, prices: 2 },
    };
    assert_eq!(read_csv(&[], rows).unwrap(), expected);
}

#[test]
fn what_is_wrong_with_a_file_is_named() {
    let header = "basket,customer,product,quantity,price,time\n";
    for (text, said) in [
        ("a,b\n", "it has no column basket; it has a, b: see --columns".to_owned()),
        (&format!("{header}b,c,p,two,1,2017-01-01\n"), "line 2: \"two\" is no quantity".to_owned()),
        (&format!("{header}b,c,p,2,1,soon\n"), "line 2: \"soon\" is no time".to_owned()),
        (header, "no row of it can be sold".to_owned()),
    ] {
        let error = read_csv(&[], text).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().ends_with(&format!("baskets.csv: {said}")), "{error}");
    }
}

/// The rows of [`SOLD`] as tools write them: ids and prices as numbers, times in microseconds,
/// other names, another order, a column we do not want.
#[test]
fn parquet_is_read_whatever_the_number_types() {
    let schema = "message m { required int64 at (TIMESTAMP(MICROS,false)); required double value; \
                  required int64 basket_id; required int32 store; required byte_array who (UTF8); \
                  required int32 units; required byte_array product (UTF8); }";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("baskets.parquet");
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let file = File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let at = |text| columns::time(text).unwrap().0 * 1000;
    let (first, second) = (at("2017-01-01 10:00:00"), at("2017-01-02 10:00:00"));
    let times = [second, at("2017-01-01 10:05:00"), second, first];
    let texts = |texts: [&'static str; 4]| texts.map(ByteArray::from);
    let mut number = 0;
    while let Some(mut column) = rows.next_column().unwrap() {
        match (number, column.untyped()) {
            (0, ColumnWriter::Int64ColumnWriter(w)) => w.write_batch(&times, None, None),
            (1, ColumnWriter::DoubleColumnWriter(w)) => {
                w.write_batch(&[1.0, 2.1, 3.0, 1.0], None, None)
            }
            (2, ColumnWriter::Int64ColumnWriter(w)) => w.write_batch(&[2, 1, 2, 1], None, None),
            (3, ColumnWriter::Int32ColumnWriter(w)) => w.write_batch(&[9; 4], None, None),
            (4, ColumnWriter::ByteArrayColumnWriter(w)) => {
                w.write_batch(&texts(["c2", "c1", "c2", "c1"]), None, None)
            }
            (5, ColumnWriter::Int32ColumnWriter(w)) => w.write_batch(&[1, 2, 1, 1], None, None),
            (6, ColumnWriter::ByteArrayColumnWriter(w)) => {
                w.write_batch(&texts(["milk", "milk", "bread", "milk"]), None, None)
            }
            _ => panic!("column {number} is of another type"),
        }
        .unwrap();
        column.close().unwrap();
        number += 1;
    }
    rows.close().unwrap();
    writer.close().unwrap();
    let names = "basket=basket_id,customer=who,quantity=units,price=value,time=at";
    assert_eq!(read(&path, &options(&["replay", "--columns", names])).unwrap(), sold());
}

//! `watermart explain`: one order's story from the log of a stopped shop, each line with its cause.

use crate::cli::{Explain, Global};
use crate::exit::Failure;
use crate::parts;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::id::{EventId, OrderId};
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use serde_json::{Value, json};
use sinks::event_log::{EventLog, Record};
use std::collections::HashMap;

const READ_BYTES: usize = 4 << 20;

/// One line of the story.
struct Line {
    at: Timestamp,
    /// Actions before what was decided of them, then by epoch, step and number.
    order: (u64, u8, u32),
    name: &'static str,
    event_id: EventId,
    cause_id: EventId,
    position: String,
    event: Value,
}

/// Tells the story.
///
/// # Errors
/// No such order, or the log cannot be read.
pub(crate) fn run(arguments: &Explain, global: &Global) -> Result<(), Failure> {
    let order = OrderId::parse(&arguments.order_id).ok_or_else(|| {
        Failure::Usage(format!("{} is no order id: ord_ and 26 characters", arguments.order_id))
    })?;
    let log = parts::read_log(&global.data)?;
    let mut lines = story(&log, order)?;
    if lines.is_empty() {
        return Err(Failure::Check(format!("no event on the log is of {order}")));
    }
    lines.sort_by_key(|line| (line.at, line.order));
    print(order, &lines, global.json);
    Ok(())
}

fn story(log: &dyn EventLog, order: OrderId) -> Result<Vec<Line>, Failure> {
    let codec = Codec::compiled();
    let from: Vec<_> = Topic::INPUTS
        .into_iter()
        .chain(Topic::OUTPUTS)
        .flat_map(TopicPartition::all)
        .map(|at| (at, 0))
        .collect();
    let damaged = |error: sinks::event_log::ReadError| Failure::Damaged(error.to_string());
    let mut reader = log.reader(&from).map_err(damaged)?;
    let (mut lines, mut records) = (Vec::new(), Vec::new());
    // An order's id stands in its events as text, its payment's as the same letters.
    let letters = order.to_string().trim_start_matches("ord_").to_owned();
    loop {
        reader.read(READ_BYTES, &mut records).map_err(damaged)?;
        if records.is_empty() {
            return Ok(lines);
        }
        let of_order = |record: &Record| {
            record.value.windows(letters.len()).any(|bytes| bytes == letters.as_bytes())
        };
        lines.extend(records.drain(..).filter(of_order).filter_map(|r| line(&codec, &r)));
    }
}

/// A record as a line; none if it cannot be decoded: then it is a dead letter's business.
fn line(codec: &Codec, record: &Record) -> Option<Line> {
    let (envelope, event) = codec.decode(&record.value).ok()?;
    let order = record.output_id.map_or((0, 0, 0), |id| (id.epoch, step(&event), id.n));
    Some(Line {
        at: if record.output_id.is_some() { envelope.occurred_at } else { record.appended_at },
        order,
        name: event.kind().name(),
        event_id: envelope.event_id,
        cause_id: envelope.causation_id,
        position: format!("{}@{}", record.partition, record.offset),
        event: schemas::json::to_json(None, &event),
    })
}

/// Numbers count within a partition: within an epoch the steps of a checkout put them in order.
const fn step(event: &Event) -> u8 {
    if matches!(event, Event::OrderRequested(_)) {
        0
    } else if matches!(event, Event::StockReserved(_) | Event::StockRefused(_)) {
        1
    } else if matches!(event, Event::PaymentRequested(_)) {
        3
    } else {
        2
    }
}

#[expect(clippy::print_stdout, reason = "the story is what the command prints")]
fn print(order: OrderId, lines: &[Line], json: bool) {
    let names: HashMap<_, _> = lines.iter().map(|line| (line.event_id, line.name)).collect();
    let timer = EventId(order.to_bytes());
    let cause = |line: &Line| {
        if line.cause_id == line.event_id {
            "the caller".to_owned()
        } else if line.cause_id == timer {
            "its deadline".to_owned()
        } else {
            let name = names.get(&line.cause_id).copied().unwrap_or("another order's event");
            format!("{name} {}", line.cause_id)
        }
    };
    if json {
        let story: Vec<_> = lines
            .iter()
            .map(|line| {
                json!({
                    "at": line.at.rfc3339(), "event": line.name, "event_id": line.event_id,
                    "cause": cause(line), "cause_id": line.cause_id,
                    "position": line.position, "body": line.event,
                })
            })
            .collect();
        println!("{}", json!({ "order_id": order, "story": story }));
        return;
    }
    for line in lines {
        println!("{}  {:<24} {}", line.at.rfc3339(), line.name, line.position);
        println!("    because of {}", cause(line));
        println!("    {}", line.event);
    }
}

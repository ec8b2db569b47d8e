//! The ledger: what was asked of the shop and what it said, a JSON line each, in the order the
//! answers came.
//!
//! An action whose fate is not known (the connection broke after it may have been sent) is in here
//! as unknown, never as answered or failed. Entries are on disk within about a second; a
//! generator that is killed loses that second and what was in flight.

use crate::Error;
use crate::clock::Clock;
use schemas::events::lines::OrderLine;
use schemas::id::{CustomerId, OrderId, PaymentMethod, ProductId, RegionId, WarehouseId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// A line of the ledger, told apart by `"entry"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum LedgerEntry {
    /// Something was asked. A request that was sent twice is here twice, with one key.
    Action {
        /// When it was to be sent, in milliseconds since 1970.
        intended_at: Timestamp,
        /// What was asked.
        asked: Asked,
        /// What came back.
        told: Told,
    },
    /// An order as it was read after the run.
    OrderSeen {
        /// Which.
        order_id: OrderId,
        /// Its state then.
        state: OrderState,
        /// When that state was reached, RFC 3339, as the shop shows it.
        updated_at: String,
    },
}

/// An action, told apart by `"kind"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Asked {
    /// `PUT /v1/warehouses/{warehouse_id}`
    Warehouse {
        /// Which.
        warehouse_id: WarehouseId,
        /// Where.
        region: RegionId,
        /// As sent.
        priority: u32,
    },
    /// `PUT /v1/products/{product_id}`
    Product {
        /// Which.
        product_id: ProductId,
        /// Of one unit, in minor units.
        price: i64,
        /// ISO 4217.
        currency: Currency,
    },
    /// `POST /v1/products/{product_id}/stock/receipts`
    Receipt {
        /// Which.
        product_id: ProductId,
        /// Where.
        warehouse_id: WarehouseId,
        /// Units received.
        quantity: u32,
        /// The request's key.
        idempotency_key: String,
    },
    /// `POST /v1/checkouts`
    Checkout {
        /// Who.
        customer_id: CustomerId,
        /// What, at which price.
        lines: Vec<OrderLine>,
        /// ISO 4217.
        currency: Currency,
        /// Where to.
        region: RegionId,
        /// The token.
        payment_method: PaymentMethod,
        /// The request's key.
        idempotency_key: String,
    },
}

/// What came back, told apart by `"outcome"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Told {
    /// The shop answered. Below 300 and 409 it has taken the action; else it has not.
    Answered {
        /// HTTP status of this action, not of its batch.
        status: u16,
        /// The id it gave: an order's, or an action's.
        id: Option<String>,
    },
    /// Sent, perhaps, and no whole answer: it may have happened or not.
    Unknown {
        /// What the connection said.
        detail: String,
    },
    /// Not sent: it has not happened.
    Failed {
        /// What the connection said.
        detail: String,
    },
}

/// An order's state, as the shop names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the states are the interface's, named as there")]
pub enum OrderState {
    Requested,
    AwaitingPayment,
    Confirmed,
    PartiallyShipped,
    Shipped,
    Delivered,
    Returned,
    Rejected,
    Cancelled,
}

/// Entries that may wait for the writer: a few seconds of the highest rate. When it is full the
/// generator waits, is late, and the report says so.
const WAITING_MAX: usize = 65_536;

/// Writes entries on a thread of its own.
#[derive(Debug)]
pub(crate) struct Ledger {
    writer: Option<Writer>,
}

#[derive(Debug)]
struct Writer {
    entries: SyncSender<LedgerEntry>,
    thread: JoinHandle<std::io::Result<()>>,
    path: PathBuf,
}

impl Ledger {
    /// Makes or empties the file; without a path nothing is kept.
    pub(crate) fn open(path: Option<&Path>, clock: Clock) -> Result<Self, Error> {
        let Some(path) = path else { return Ok(Self { writer: None }) };
        let at = |source| Error::File { path: path.to_owned(), source };
        let file = File::create(path).map_err(at)?;
        let (entries, waiting) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || write(&waiting, file, clock))
            .map_err(at)?;
        Ok(Self { writer: Some(Writer { entries, thread, path: path.to_owned() }) })
    }

    /// Writes what `entry` makes, if a ledger is kept.
    pub(crate) fn note(&self, entry: impl FnOnce() -> LedgerEntry) {
        if let Some(writer) = &self.writer {
            // A writer that has stopped has an error to tell, and tells it at `close`.
            drop(writer.entries.send(entry()));
        }
    }

    /// Waits until all is written.
    pub(crate) fn close(self) -> Result<(), Error> {
        let Some(Writer { entries, thread, path }) = self.writer else { return Ok(()) };
        drop(entries);
        let written = thread.join().expect("the ledger's writer does not panic");
        written.map_err(|source| Error::File { path, source })
    }
}

fn write(waiting: &Receiver<LedgerEntry>, file: File, clock: Clock) -> std::io::Result<()> {
    const FLUSH_EVERY: Duration = Duration::from_secs(1);
    let mut out = BufWriter::with_capacity(1 << 18, file);
    let mut flushed = clock.elapsed();
    loop {
        match waiting.recv_timeout(FLUSH_EVERY) {
            Ok(entry) => {
                serde_json::to_writer(&mut out, &entry)?;
                out.write_all(b"\n")?;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return out.flush(),
        }
        if clock.elapsed() - flushed >= FLUSH_EVERY {
            out.flush()?;
            flushed = clock.elapsed();
        }
    }
}

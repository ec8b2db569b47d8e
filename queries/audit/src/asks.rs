//! What is asked of a running shop, and what each answer must say.

use crate::fold::Fold;
use crate::order::{Newest, Order};
use crate::shown::{self, fits};
use crate::timeline::timeline_hash;
use crate::verdicts::Example;
use schemas::id::{CustomerId, EventId, OrderId, ProductId, WarehouseId};
use schemas::position::Position;
use schemas::time::Timestamp;
use serde_json::{Value, json};
use sinks::view_store::rows::{TimelineEntry, View};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

/// Items on a page: the most that the shop gives.
const PAGE: usize = 100;

/// Where a page begins: behind this item, by the cursor that came with it.
type Behind<T> = Option<(T, String)>;

/// One read.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Warehouses(Behind<()>),
    Products(Behind<()>),
    Warehouse(WarehouseId),
    Product(ProductId),
    Stock(ProductId),
    Reservations(ProductId, Behind<OrderId>),
    Cart(CustomerId),
    CustomerOrders(CustomerId, Behind<(Newest, OrderId)>),
    Order(OrderId),
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warehouses(_) => f.write_str("/v1/warehouses"),
            Self::Products(_) => f.write_str("/v1/products"),
            Self::Warehouse(id) => write!(f, "/v1/warehouses/{id}"),
            Self::Product(id) => write!(f, "/v1/products/{id}"),
            Self::Stock(id) => write!(f, "/v1/products/{id}/stock"),
            Self::Reservations(id, _) => write!(f, "/v1/products/{id}/reservations"),
            Self::Cart(id) => write!(f, "/v1/customers/{id}/cart"),
            Self::CustomerOrders(id, _) => write!(f, "/v1/customers/{id}/orders"),
            Self::Order(id) => write!(f, "/v1/orders/{id}"),
        }
    }
}

/// Some rows of a view, compared.
pub(crate) struct Part {
    pub(crate) view: View,
    pub(crate) rows: usize,
    /// What differs, if something does.
    pub(crate) difference: Option<Example>,
}

impl Ask {
    /// All that the fold knows of.
    pub(crate) fn all(fold: &Fold) -> Vec<Self> {
        let mut asks = vec![Self::Warehouses(None), Self::Products(None)];
        asks.extend(fold.others.warehouses.keys().map(|id| Self::Warehouse(*id)));
        for (id, product) in &fold.stock.products {
            let is_listed = product.listed.is_some();
            if is_listed || !product.levels.is_empty() {
                asks.extend([Self::Stock(*id), Self::Reservations(*id, None)]);
            }
            asks.extend(is_listed.then_some(Self::Product(*id)));
        }
        asks.extend(fold.others.carts.keys().map(|id| Self::Cart(*id)));
        let mut customers: Vec<_> = fold.orders.all.values().map(|order| order.customer).collect();
        customers.sort_unstable();
        customers.dedup();
        asks.extend(customers.into_iter().map(|id| Self::CustomerOrders(id, None)));
        asks.extend(fold.orders.all.keys().map(|id| Self::Order(*id)));
        asks
    }

    /// What to get, not older than this epoch.
    pub(crate) fn path(&self, epoch: u64) -> String {
        let after = Position::Epoch(epoch);
        let fresh = format!("consistency=eventual&wait=30&after={after}");
        let cursor = match self {
            Self::Warehouses(behind) | Self::Products(behind) => cursor(behind),
            Self::Reservations(_, behind) => cursor(behind),
            Self::CustomerOrders(_, behind) => cursor(behind),
            Self::Warehouse(_)
            | Self::Product(_)
            | Self::Stock(_)
            | Self::Cart(_)
            | Self::Order(_) => return format!("{self}?{fresh}"),
        };
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        format!("{self}?{fresh}&limit={PAGE}{cursor}")
    }

    /// Whether the answer does not tell how old its rows are.
    pub(crate) const fn is_list(&self) -> bool {
        match self {
            Self::Warehouses(_)
            | Self::Products(_)
            | Self::Reservations(..)
            | Self::CustomerOrders(..) => true,
            Self::Warehouse(_)
            | Self::Product(_)
            | Self::Stock(_)
            | Self::Cart(_)
            | Self::Order(_) => false,
        }
    }

    /// The view that it is about, or the first of them.
    pub(crate) const fn view(&self) -> View {
        match self {
            Self::Warehouses(_) | Self::Warehouse(_) => View::Warehouses,
            Self::Products(_) | Self::Product(_) => View::Products,
            Self::Stock(_) => View::Stock,
            Self::Reservations(..) => View::Reservations,
            Self::Cart(_) => View::Carts,
            Self::CustomerOrders(..) => View::CustomerOrders,
            Self::Order(_) => View::Orders,
        }
    }

    /// The page behind this one, by its shortened body, if the fold knows where that ends.
    pub(crate) fn next(&self, cursor: &str, body: &Value, fold: &Fold) -> Option<Self> {
        let cursor = cursor.to_owned();
        match self {
            Self::Warehouses(_) => Some(Self::Warehouses(Some(((), cursor)))),
            Self::Products(_) => Some(Self::Products(Some(((), cursor)))),
            Self::Reservations(id, _) => {
                let last = body.as_array()?.last()?["order_id"].as_str();
                Some(Self::Reservations(*id, Some((OrderId::parse(last?)?, cursor))))
            }
            Self::CustomerOrders(id, _) => {
                let last = OrderId::parse(body.as_array()?.last()?.as_str()?)?;
                let order = fold.orders.all.get(&last)?;
                let at = Reverse((order.created_at, order.asked_at));
                Some(Self::CustomerOrders(*id, Some(((at, last), cursor))))
            }
            Self::Warehouse(_)
            | Self::Product(_)
            | Self::Stock(_)
            | Self::Cart(_)
            | Self::Order(_) => None,
        }
    }

    /// Drops what of a list is not compared, before it waits; gives the cursor of the next page.
    pub(crate) fn shorten(&self, body: &mut Value) -> Option<String> {
        let name = match self {
            Self::Warehouses(_) => Some("warehouse_id"),
            Self::Products(_) => Some("product_id"),
            Self::CustomerOrders(..) => Some("order_id"),
            Self::Reservations(..) => None,
            Self::Warehouse(_)
            | Self::Product(_)
            | Self::Stock(_)
            | Self::Cart(_)
            | Self::Order(_) => return None,
        };
        let cursor = body["next_cursor"].as_str().map(str::to_owned);
        let mut items = body["items"].take();
        if let (Some(name), Some(items)) = (name, items.as_array_mut()) {
            items.iter_mut().for_each(|item| *item = item[name].take());
        }
        *body = items;
        cursor
    }

    /// Compares with the fold of the answer's epoch: by row, the view and what differs.
    pub(crate) fn compare(&self, fold: &Fold, body: &Value) -> Vec<Part> {
        match self {
            Self::Warehouses(_) => self.known(body, |id| {
                WarehouseId::parse(id).is_some_and(|id| fold.others.warehouses.contains_key(&id))
            }),
            Self::Products(_) => self.known(body, |id| {
                let product = ProductId::parse(id).and_then(|id| fold.stock.products.get(&id));
                product.is_some_and(|product| product.listed.is_some())
            }),
            Self::Warehouse(id) => vec![self.part(shown::warehouse(fold, *id), body)],
            Self::Product(id) => vec![self.part(shown::product(fold, *id), body)],
            Self::Stock(id) => vec![self.part(shown::stock(fold, *id), body)],
            Self::Cart(id) => vec![self.part(shown::cart(fold, *id), body)],
            Self::Reservations(id, behind) => {
                let expected = reservations(fold, *id, behind.as_ref().map(|(order, _)| *order));
                vec![self.part(Some(expected), body)]
            }
            Self::CustomerOrders(id, behind) => {
                let expected = orders(fold, *id, behind.as_ref().map(|(place, _)| *place));
                vec![self.part(Some(expected), body)]
            }
            Self::Order(id) => fold.orders.all.get(id).map_or_else(
                || vec![self.part(None, body)],
                |order| self.order(fold, *id, order, body),
            ),
        }
    }

    fn part(&self, expected: Option<Value>, shown: &Value) -> Part {
        let holds = expected.as_ref().is_some_and(|expected| fits(expected, shown));
        let difference = (!holds).then(|| {
            let expected = expected.map_or_else(|| "no row".to_owned(), |row| row.to_string());
            Example::new(self, expected, shown, None)
        });
        let rows = shown.get("levels").unwrap_or(shown).as_array().map_or(1, Vec::len);
        Part { view: self.view(), rows, difference }
    }

    /// A list's ids are all known; its rows are read one by one, and counted there.
    fn known(&self, ids: &Value, is_known: impl Fn(&str) -> bool) -> Vec<Part> {
        let ids = ids.as_array().map_or(&[][..], Vec::as_slice);
        let strange = ids.iter().find(|id| !id.as_str().is_some_and(&is_known));
        let difference = strange.map(|id| Example::new(self, "no such row", id, None));
        vec![Part { view: self.view(), rows: 0, difference }]
    }

    fn order(&self, fold: &Fold, id: OrderId, order: &Order, body: &Value) -> Vec<Part> {
        let payment = shown::payment(id, order);
        let paid = (!fits(&payment, &body["payment"]))
            .then(|| Example::new(self, &payment, &body["payment"], None));
        let told = timeline(fold, id, order, &body["timeline"]);
        let not_told = told.is_none().then(|| {
            let expected = format!("the {} events that the topic orders tells", order.version);
            Example::new(self, expected, &body["timeline"], None)
        });
        let payments = usize::from(!payment.is_null());
        let (view, rows) = (View::Timeline, told.unwrap_or_default());
        vec![
            self.part(Some(shown::order(id, order)), body),
            Part { view: View::Payments, rows: payments, difference: paid },
            Part { view, rows, difference: not_told },
        ]
    }
}

fn cursor<T>(behind: &Behind<T>) -> Option<&str> {
    behind.as_ref().map(|(_, cursor)| cursor.as_str())
}

/// A page of a product's open reservations.
fn reservations(fold: &Fold, product: ProductId, behind: Option<OrderId>) -> Value {
    let from = match behind {
        Some(order) => Bound::Excluded((product, order)),
        None => Bound::Included((product, OrderId::default())),
    };
    let open = fold.stock.open.iter().flat_map(|open| open.range((from, Bound::Unbounded)));
    let of_product = open.take_while(|(id, _)| *id == product).take(PAGE);
    of_product
        .filter_map(|key| Some(shown::reservation(key.1, fold.stock.claims.get(key)?)))
        .collect()
}

/// A page of a customer's orders, newest first.
fn orders(fold: &Fold, customer: CustomerId, behind: Option<(Newest, OrderId)>) -> Value {
    let from = match behind {
        Some((at, order)) => Bound::Excluded((customer, at, order)),
        None => {
            Bound::Included((customer, Reverse((Timestamp::MAX, u64::MAX)), OrderId::default()))
        }
    };
    let placed = fold.orders.of_customers.iter();
    let placed = placed.flat_map(|placed| placed.range((from, Bound::Unbounded)));
    placed.take_while(|(id, ..)| *id == customer).take(PAGE).map(|(.., id)| json!(id)).collect()
}

/// The rows of a timeline, if they are those whose hashes were folded.
fn timeline(fold: &Fold, id: OrderId, order: &Order, shown: &Value) -> Option<usize> {
    let mut rows: BTreeMap<u64, Vec<TimelineEntry>> = BTreeMap::new();
    let events = shown.as_array().map_or(&[][..], Vec::as_slice);
    for event in events {
        let (epoch, entry) = entry(fold, event)?;
        rows.entry(epoch).or_default().push(entry);
    }
    let told = |(epoch, entries): (&u64, &Vec<TimelineEntry>)| {
        fold.orders.timeline.get(&(id, *epoch)).is_some_and(|row| *row == timeline_hash(entries))
    };
    let holds = events.len() as u64 == order.version && rows.iter().all(told);
    holds.then_some(rows.len())
}

fn entry(fold: &Fold, event: &Value) -> Option<(u64, TimelineEntry)> {
    let epoch = event["epoch"].as_u64()?;
    let at = fold.deadlines.now_of(epoch);
    let position = &event["position"];
    let began = if position.is_null() {
        None
    } else if let Ok(Position::Record { partition, offset }) = position.as_str()?.parse() {
        Some((partition, offset))
    } else {
        return None;
    };
    let entry = TimelineEntry {
        at,
        event: event["event"].as_str()?.to_owned().into(),
        event_id: event["event_id"].as_str().and_then(EventId::parse)?,
        cause_id: event["cause_id"].as_str().and_then(EventId::parse)?,
        position: began,
    };
    (event["at"] == at.rfc3339().as_str()).then_some((epoch, entry))
}

//! The answer to an action: taken, or, with `Prefer: wait`, what became of it.
//!
//! An action is decided when the views' mark has passed its record; a checkout when its order has
//! also left `requested`. What is rejected stands under the action's id, a rejected checkout in
//! its order. In a process without views the preference is not applied: taken is all it can say.

use crate::action::{Action, Decided};
use crate::call::Call;
use crate::ingest::{Decisions, Ingest, Place};
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use edge::problem::{Code, Problem};
use edge::resource::Resource;
use schemas::events::orders::Reason;
use schemas::id::OrderId;
use serde::Serialize;
use serde_json::Value;
use sinks::view_store::ViewError;
use sinks::view_store::rows::{OrderState, Row, View};
use utoipa::{IntoResponses, ToSchema};

/// An action that is durable on the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// The order's or action's id.
    #[schema(example = "ord_0123456789abcdefghjkmnpqrs")]
    id: String,
    /// Where it stands; a read with `?after=` this sees it.
    position: String,
    /// What it changes.
    url: String,
}

/// The answers to an action that adds something.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers; `Ingest::act` gives them")]
pub(crate) enum Adding {
    /// With `Prefer: wait`: what the action added to, as it is after the decision.
    #[response(status = 201)]
    Decided(Value),
    /// The action is durable on the log.
    #[response(status = 202)]
    Taken(Accepted),
}

/// The answers to an action that changes something.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers; `Ingest::act` gives them")]
pub(crate) enum Changing {
    /// With `Prefer: wait`: what the action changed, as it is after the decision.
    #[response(status = 200)]
    Decided(Value),
    /// The action is durable on the log.
    #[response(status = 202)]
    Taken(Accepted),
}

impl Accepted {
    pub(crate) fn new(action: &Action, place: Place) -> Self {
        Self {
            id: action.shown_id(),
            position: place.position().to_string(),
            url: action.decided.resource().to_string(),
        }
    }
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        // Our URLs are made of ids' characters, which all may stand in a header.
        let location = HeaderValue::from_str(&self.url).ok().map(|url| [(header::LOCATION, url)]);
        (StatusCode::ACCEPTED, location, Json(self)).into_response()
    }
}

impl Ingest {
    /// Brings the action to the log and answers as the call prefers.
    pub(crate) async fn act(&self, call: &Call, action: Action) -> Result<Response, Problem> {
        let place = self.append_one(call.principal, &action).await?;
        let (Some(wait), Some(decisions)) = (call.wait, &self.ports().decisions) else {
            return Ok(Accepted::new(&action, place).into_response());
        };
        match tokio::time::timeout(wait, decisions.decision(&action, place)).await {
            Ok(decision) => decision?,
            Err(_elapsed) => return Ok(Accepted::new(&action, place).into_response()),
        }
        decisions.show(action.decided)
    }
}

impl Decisions {
    /// Waits until the action is decided; a refusal is a problem.
    async fn decision(&self, action: &Action, place: Place) -> Result<(), Problem> {
        let mut marks = self.views.marks();
        let closed = |_| Problem::new(Code::ViewBehind, "the shop is stopping");
        let index = place.partition.input_index().expect("actions stand on input topics");
        marks
            .wait_for(|mark| mark.applied.get(index).is_some_and(|end| *end > place.offset))
            .await
            .map_err(closed)?;
        match action.decided {
            Decided::Opened(order) => {
                while !self.is_decided(order)? {
                    marks.changed().await.map_err(closed)?;
                }
                Ok(())
            }
            Decided::Added(_) | Decided::Changed(_) => self.refusal(action),
        }
    }

    /// Whether the order has left `requested`; a rejected one is a problem.
    fn is_decided(&self, order: OrderId) -> Result<bool, Problem> {
        let stored = self.views.get(View::Orders, &order.to_bytes()).map_err(taken)?;
        let Some(Row::Orders(row)) = stored.map(|stored| stored.row) else { return Ok(false) };
        match row.state {
            OrderState::Requested => Ok(false),
            OrderState::AwaitingPayment | OrderState::Confirmed | OrderState::Cancelled => Ok(true),
            OrderState::Rejected => {
                Err(self.refused(row.reason.unwrap_or(Reason::IllegalState), Some(order))?)
            }
        }
    }

    /// The problem of an action that came to nothing, if it did.
    fn refusal(&self, action: &Action) -> Result<(), Problem> {
        let stored = self.views.get(View::Rejections, &action.id.to_bytes()).map_err(taken)?;
        match stored.map(|stored| stored.row) {
            Some(Row::Rejections(row)) => Err(self.refused(row.reason, row.order_id)?),
            Some(_) | None => Ok(()),
        }
    }

    fn refused(&self, reason: Reason, order: Option<OrderId>) -> Result<Problem, Problem> {
        let order = match order {
            Some(order) => self.resources.resource(Resource::Order(order)).map_err(taken)?,
            None => None,
        };
        let (code, detail) = refusal(reason);
        let reason = Some(reason.as_str());
        Ok(Problem { order: order.map(Box::new), reason, ..Problem::new(code, detail) })
    }

    fn show(&self, decided: Decided) -> Result<Response, Problem> {
        const APPLIED: HeaderName = HeaderName::from_static("preference-applied");
        let status = match decided {
            Decided::Opened(_) | Decided::Added(_) => StatusCode::CREATED,
            Decided::Changed(_) => StatusCode::OK,
        };
        let resource = decided.resource();
        let gone = || Problem::new(Code::ViewBehind, format!("{resource} cannot be read now"));
        let body = self.resources.resource(resource).map_err(taken)?.ok_or_else(gone)?;
        let applied = [(APPLIED, HeaderValue::from_static("wait"))];
        let location = HeaderValue::from_str(&resource.to_string()).ok();
        let location = location.map(|url| [(header::LOCATION, url)]);
        Ok((status, applied, location, Json(body)).into_response())
    }
}

/// A decision that cannot be read: the caller must know that the action is taken all the same.
fn taken(error: ViewError) -> Problem {
    let problem = Problem::from(error);
    let detail =
        format!("the action is taken, but its decision cannot be read: {}", problem.detail);
    Problem { detail, ..problem }
}

/// The code of the API that is nearest to a reason, and the reason in words.
const fn refusal(reason: Reason) -> (Code, &'static str) {
    match reason {
        Reason::OutOfStock => (Code::OutOfStock, "fewer units are available than asked for"),
        Reason::PriceChanged => (Code::PriceChanged, "a price is not the one the shopper saw"),
        Reason::VersionMismatch => (Code::VersionMismatch, "the stock level has changed since"),
        Reason::LimitExceeded => (Code::LimitExceeded, "more is asked for than one order may have"),
        Reason::PreconditionFailed => {
            (Code::PreconditionFailed, "the listing's version is not the one in If-Match")
        }
        Reason::IdempotencyKeyReused => {
            (Code::IdempotencyKeyReused, "the key stands for a request with another body")
        }
        Reason::UnknownProduct => (Code::IllegalState, "a product was never listed"),
        Reason::Delisted => (Code::IllegalState, "a product is taken down"),
        Reason::EmptyCart => (Code::IllegalState, "the cart is empty"),
        Reason::PaymentDeclined => (Code::IllegalState, "the payment was declined"),
        Reason::ReservationExpired => (Code::IllegalState, "the order was not paid in time"),
        Reason::CancelledByCustomer => (Code::IllegalState, "the customer cancelled the order"),
        Reason::CancelledBySeller => (Code::IllegalState, "the seller cancelled the order"),
        Reason::IllegalState => (Code::IllegalState, "the present state does not allow it"),
        Reason::NotFound => (Code::IllegalState, "there is no such thing"),
        Reason::UnknownWarehouse => (Code::IllegalState, "no warehouse of that id is set up"),
        Reason::CurrencyMismatch => {
            (Code::IllegalState, "the currency is not that of the listing or cart")
        }
    }
}

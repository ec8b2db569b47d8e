//! Payments.

use crate::Queries;
use crate::answer::{Answer, Resource, row_of};
use crate::freshness::{Consistency, Freshness, Scope};
use axum::extract::State;
use edge::path_id::PathId;
use edge::principal::Principal;
use edge::problem::Problem;
use edge::refusals::ReadRefusals;
use schemas::events::orders::PaymentState;
use schemas::id::{OrderId, PaymentId};
use schemas::money::Currency;
use serde::Serialize;
use serde_json::Value;
use sinks::view_store::ViewError;
use sinks::view_store::rows::View;
use utoipa::ToSchema;

/// A payment; all sums in minor units of the currency.
#[derive(Serialize, ToSchema)]
pub(crate) struct Payment {
    #[schema(value_type = String)]
    payment_id: PaymentId,
    #[schema(value_type = String)]
    order_id: OrderId,
    /// `requested`, `declined`, `authorized`, `capturing`, `captured`, `voiding`, `voided`,
    /// `refunding` or `refunded`.
    #[schema(value_type = String)]
    state: PaymentState,
    /// The order's total.
    amount: i64,
    /// Held for us at some time.
    authorized: i64,
    /// Taken.
    captured: i64,
    /// Given back.
    refunded: i64,
    /// Of what was held, given up.
    voided: i64,
    #[schema(value_type = String)]
    currency: Currency,
}

/// One payment.
#[utoipa::path(
    get, path = "/v1/payments/{payment_id}", tag = "payments",
    params(("payment_id" = String, Path), Freshness),
    responses((status = 200, body = Payment), ReadRefusals<'_>)
)]
pub(crate) async fn get(
    State(queries): State<Queries>,
    _: Principal,
    PathId(id): PathId<PaymentId>,
    freshness: Freshness,
) -> Result<Answer<Payment>, Problem> {
    let scope = Scope::customer(id.group());
    let mark = queries.fresh(freshness, Consistency::Strong, scope).await?;
    let payment = queries.payment(id)?.ok_or_else(Problem::not_found)?;
    Ok(Answer::one(mark, payment))
}

impl Queries {
    /// A payment has no version that a caller could change: the epoch tells its states apart.
    pub(crate) fn payment(&self, id: PaymentId) -> Result<Option<Resource<Payment>>, ViewError> {
        let Some(stored) = self.views.get(View::Payments, &id.order().to_bytes())? else {
            return Ok(None);
        };
        let (row, epoch) = row_of!(Payments, stored)?;
        let body = Payment {
            payment_id: id,
            order_id: row.order_id,
            state: row.state,
            amount: row.amount,
            authorized: row.authorized,
            captured: row.captured,
            refunded: row.refunded,
            voided: row.voided,
            currency: row.currency,
        };
        Ok(Some(Resource { body, version: 0, epoch }))
    }

    /// A payment as `GET /v1/payments/{payment_id}` shows it.
    pub fn payment_json(&self, id: PaymentId) -> Result<Option<Value>, ViewError> {
        Ok(self.payment(id)?.map(Resource::into_json))
    }
}

//! `/v1/payments/webhook`: what became of a payment, in the provider's words. Nobody is believed
//! without a signature over the raw body; a report that is repeated is appended again, and the
//! engine sees that it is the same.

use crate::action::{Action, Decided, Key};
use crate::call::{BODY_BYTES_MAX, raw_body, read_fields, read_json};
use crate::fields::Place;
use crate::ingest::Ingest;
use axum::Json;
use axum::extract::{Request, State};
use edge::principal::Principal;
use edge::problem::{Code, Problem};
use edge::refusals::WebhookRefusals;
use edge::resource::Resource;
use schemas::events::customer_actions::{PaymentOutcome, PaymentReported};
use schemas::id::{OrderId, PaymentId};
use schemas::limits::{AMOUNT_MAX, NAME_MAX};
use schemas::money::Currency;
use serde::Serialize;
use sinks::payment_gateway::signature;
use utoipa::ToSchema;

/// Characters of the provider's id of an event.
const EVENT_ID_MAX: usize = 255;
/// Webhooks taken from within the process in one append: any number of them stays far below what
/// an append may hold.
const DELIVERY_MAX: usize = 1000;

/// A report of the payment provider.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "shows in the API's description what `report` reads")]
pub(crate) struct Webhook {
    #[schema(min_length = 1, max_length = 255)]
    id: String,
    /// What became of the payment.
    #[schema(
        pattern = "^payment\\.(authorized|declined|captured|voided|refunded)$",
        example = "payment.authorized"
    )]
    r#type: String,
    payment_id: String,
    order_id: String,
    /// In minor units.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_000_000i64)]
    amount: i64,
    /// ISO 4217.
    #[schema(example = "USD", pattern = "^[A-Z]{3}$")]
    currency: String,
    /// RFC 3339.
    #[schema(min_length = 1, max_length = 200)]
    created_at: Option<String>,
    #[schema(max_length = 200)]
    decline_code: Option<String>,
}

/// The report is durable.
#[derive(Serialize, ToSchema)]
pub(crate) struct Received {
    received: bool,
}

/// Takes the payment provider's report.
#[utoipa::path(post, path = "/v1/payments/webhook", tag = "payments",
    params(("Watermart-Signature" = String, Header)), request_body = Webhook,
    responses((status = 200, body = Received), WebhookRefusals<'_>))]
pub(crate) async fn post(
    State(ingest): State<Ingest>,
    request: Request,
) -> Result<Json<Received>, Problem> {
    let signature = request.headers().get("watermart-signature").cloned();
    let body = raw_body(request, &ingest, BODY_BYTES_MAX).await?;
    let signature = signature.as_ref().and_then(|value| value.to_str().ok()).unwrap_or("");
    let action = ingest.report(signature, &body)?;
    ingest.append_one(Principal::PROVIDER, &action).await?;
    Ok(Json(Received { received: true }))
}

impl Ingest {
    /// Takes webhooks (signature, body) from within the process, as if they had come one by one
    /// over HTTP, in their order. Tells of each whether it is durable now; one that is not may be
    /// sent again.
    pub async fn deliver(&self, webhooks: &[(String, Vec<u8>)]) -> Vec<bool> {
        let mut taken = Vec::with_capacity(webhooks.len());
        for webhooks in webhooks.chunks(DELIVERY_MAX) {
            taken.extend(self.deliver_some(webhooks).await);
        }
        taken
    }

    async fn deliver_some(&self, webhooks: &[(String, Vec<u8>)]) -> Vec<bool> {
        let reports: Vec<_> = webhooks
            .iter()
            .map(|(signature, body)| match self.report(signature, body) {
                Ok(report) => Some(report),
                Err(problem) => {
                    tracing::warn!(detail = problem.detail, "a webhook was refused");
                    None
                }
            })
            .collect();
        let actions: Vec<_> = reports.iter().flatten().collect();
        let mut places = self.append(Principal::PROVIDER, &actions).await.into_iter();
        reports
            .iter()
            .map(|report| report.is_some() && places.next().is_some_and(|place| place.is_ok()))
            .collect()
    }

    /// The action of a webhook that is signed and says what it must.
    fn report(&self, header: &str, body: &[u8]) -> Result<Action, Problem> {
        let now = self.clock().now();
        signature::verify(self.secrets(), header, body, now)
            .map_err(|error| Problem::new(Code::SignatureInvalid, error.to_string()))?;
        let event = read_fields(&read_json(body, BODY_BYTES_MAX)?, report)?;
        let order_id = event.order_id;
        let key = Key::Order(order_id);
        let action_id = key.action(&event.provider_event_id, "webhook", &[body]);
        Ok(Action::new(action_id, key, Decided::Changed(Resource::Order(order_id)), event))
    }
}

const FIELDS: [&str; 8] =
    ["id", "type", "payment_id", "order_id", "amount", "currency", "created_at", "decline_code"];

fn report(body: Place<'_, '_>) -> Option<PaymentReported> {
    body.object(&FIELDS, |fields| {
        let id = fields.required("id", |id| id.text(1..=EVENT_ID_MAX));
        let outcome = fields.required("type", outcome);
        let order_id = fields.required("order_id", |id| {
            OrderId::parse(id.str()?).or_else(|| id.refuse("must be an order's id"))
        });
        let payment_id = fields.required("payment_id", |id| {
            let payment = PaymentId::parse(id.str()?);
            let fits = payment.filter(|payment| order_id.is_none_or(|o| o.payment() == *payment));
            fits.or_else(|| id.refuse("must be the id of the order's payment"))
        });
        let amount = fields.required("amount", |amount| amount.whole(0..=AMOUNT_MAX));
        let currency: Option<Currency> = fields.required("currency", Place::currency);
        let created_at = fields.optional("created_at", |at| at.text(1..=NAME_MAX));
        let decline_code = fields.optional("decline_code", |code| code.text(0..=NAME_MAX));
        created_at?;
        Some(PaymentReported {
            provider_event_id: id?,
            payment_id: payment_id?,
            order_id: order_id?,
            outcome: outcome?,
            amount: amount?,
            currency: currency?,
            decline_code: decline_code?,
        })
    })
}

fn outcome(place: Place<'_, '_>) -> Option<PaymentOutcome> {
    match &**place.str()? {
        "payment.authorized" => Some(PaymentOutcome::Authorized),
        "payment.declined" => Some(PaymentOutcome::Declined),
        "payment.captured" => Some(PaymentOutcome::Captured),
        "payment.voided" => Some(PaymentOutcome::Voided),
        "payment.refunded" => Some(PaymentOutcome::Refunded),
        _ => place.refuse(
            "must be payment.authorized, payment.declined, payment.captured, payment.voided or \
             payment.refunded",
        ),
    }
}

//! Asks a shop over HTTP. Any number of requests may be under way: tasks of the bench's runtime.

use crate::running_shop::causes;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::time::Duration;

/// What a decision is waited for, in seconds: the most that the shop allows.
const WAIT: &str = "wait=30";
/// Longer than that.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

/// Asks one shop. A clone uses the same connections.
#[derive(Clone)]
pub(super) struct Caller {
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// An order of one unit, to be paid by nobody: of whom, for what, at which price.
#[derive(Clone, Debug)]
pub(super) struct Checkout {
    /// Also the idempotency key: a customer of a bench orders once.
    pub(super) customer: String,
    pub(super) product: String,
    pub(super) price: i64,
}

impl Checkout {
    pub(super) fn body(&self) -> Value {
        let Self { customer, product, price } = self;
        json!({
            "customer_id": customer, "currency": "USD", "ship_to": { "region": "eu" },
            "items": [{ "product_id": product, "quantity": 1, "price": price }],
            "payment_method": "tok_ok",
        })
    }
}

impl Caller {
    /// Of the shop at this URL.
    pub(super) fn at(url: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { url: url.to_owned(), client: Client::builder(TokioExecutor::new()).build(connector) }
    }

    /// Where the shop is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Reads this path.
    ///
    /// # Errors
    /// There is no whole answer.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, String> {
        self.ask(Method::GET, path, &[], None).await
    }

    /// Asks for what needs no key, and waits until it is decided.
    ///
    /// # Errors
    /// There is no whole answer.
    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.ask(Method::PUT, path, &[("prefer", WAIT)], Some(body)).await
    }

    /// Asks for an order, and waits until it is decided.
    ///
    /// # Errors
    /// There is no whole answer.
    pub(super) async fn checkout(&self, checkout: &Checkout) -> Result<Answer, String> {
        let headers = [("prefer", WAIT), ("idempotency-key", &*checkout.customer)];
        self.ask(Method::POST, "/v1/checkouts", &headers, Some(&checkout.body())).await
    }

    /// Asks for many things at once, and waits until they are on the log.
    ///
    /// # Errors
    /// There is no whole answer.
    pub(super) async fn batch(&self, actions: Vec<Value>) -> Result<Answer, String> {
        let body = json!({ "actions": actions });
        self.ask(Method::POST, "/v1/batch", &[], Some(&body)).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| format!("{path}: {error}"))?;
        let named = |error: &dyn std::error::Error| format!("{path}: {}", causes(error));
        let answered = async {
            let response = self.client.request(request).await.map_err(|e| named(&e))?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.map_err(|e| named(&e))?;
            let body = serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null);
            Ok(Answer { status, body })
        };
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, answered).await;
        answered.unwrap_or_else(|elapsed| Err(named(&elapsed)))
    }
}

impl Answer {
    /// Itself, if it has this status.
    ///
    /// # Errors
    /// What it says else.
    pub(super) fn is(self, status: u16) -> Result<Self, String> {
        if self.status == status {
            return Ok(self);
        }
        Err(format!("the shop answered {} in the place of {status}: {}", self.status, self.body))
    }
}

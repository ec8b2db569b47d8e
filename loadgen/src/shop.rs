//! The shop, by HTTP/1.1 over pooled connections.
//!
//! A request that may have been sent and has no whole answer is [`Failure::Unknown`]; only one that
//! never had a connection is [`Failure::NotSent`].

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::fmt;
use std::time::Duration;

/// Longer than any wait we ask the shop for (30 s).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);
/// A batch's answer holds 1,000 results, each less than an order of 100 lines.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Connections kept between requests; more than ever are in use at a bearable load.
const IDLE_CONNECTIONS_MAX: usize = 512;

/// Where a shop is, and the connections to it.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    client: Client<HttpConnector, Full<Bytes>>,
    /// Where actions go.
    url: String,
    /// Where reads go: another process, if the shop's parts run apart.
    query_url: String,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// No whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There was no connection to send on.
    NotSent(String),
    /// It may have been received.
    Unknown(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(detail) | Self::Unknown(detail) => f.write_str(detail),
        }
    }
}

/// Headers beside `Content-Type`.
pub(crate) type Headers<'a> = &'a [(&'static str, &'a str)];

impl Shop {
    /// The shop that takes actions at `url`, and reads there too unless at `query_url`.
    pub(crate) fn at(url: &str, query_url: Option<&str>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(connector);
        let [url, query_url] =
            [url, query_url.unwrap_or(url)].map(|url| url.trim_end_matches('/').to_owned());
        Self { client, url, query_url }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn query_url(&self) -> &str {
        &self.query_url
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.ask(Method::GET, format!("{}{path}", self.query_url), &[], Bytes::new()).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        headers: Headers<'_>,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        self.ask(Method::POST, format!("{}{path}", self.url), headers, body).await
    }

    async fn ask(
        &self,
        method: Method,
        uri: String,
        headers: Headers<'_>,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let mut request = Request::builder().method(method).uri(uri);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request =
            request.body(Full::new(body)).map_err(|error| Failure::NotSent(error.to_string()))?;
        match tokio::time::timeout(ANSWER_TIMEOUT, self.answer(request)).await {
            Ok(answered) => answered,
            Err(elapsed) => Err(Failure::Unknown(elapsed.to_string())),
        }
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let response = self.client.request(request).await.map_err(|error| {
            let detail = causes(&error);
            if error.is_connect() { Failure::NotSent(detail) } else { Failure::Unknown(detail) }
        })?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| Failure::Unknown(error.to_string()))?.to_bytes();
        Ok(Answer { status, body })
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

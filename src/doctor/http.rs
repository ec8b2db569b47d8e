//! Asks a server over HTTP, within a time.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::error::Error;
use std::time::Duration;
use tokio::runtime::Runtime;

/// More than any answer has that is asked for here.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Asks; blocks.
pub(super) struct Asker {
    runtime: Runtime,
    client: Client<HttpConnector, Empty<Bytes>>,
    timeout: Duration,
}

impl Asker {
    /// Each answer may take so long.
    ///
    /// # Errors
    /// The system gives no threads.
    pub(super) fn new(timeout: Duration) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("could not start a thread: {error}"))?;
        Ok(Self { runtime, client: Client::builder(TokioExecutor::new()).build_http(), timeout })
    }

    /// The status and the body, which is null if it is no JSON.
    ///
    /// # Errors
    /// No answer, in words.
    pub(super) fn get(&self, url: &str) -> Result<(u16, Value), String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let asked = async {
            let response = self.client.get(uri).await.map_err(|error| told(url, &error))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| format!("{url}: {error}"))?.to_bytes();
            Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
        };
        self.runtime.block_on(async {
            match tokio::time::timeout(self.timeout, asked).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("{url} did not answer in {:?}", self.timeout)),
            }
        })
    }
}

fn told(url: &str, error: &dyn Error) -> String {
    let mut text = format!("{url}: {error}");
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

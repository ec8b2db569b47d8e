//! A running shop's read side, over a few kept connections, for the audit beside it.

use crate::exit::Failure;
use audit::{Answer, Shop};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Requests under way at once: enough to keep a core of the shop busy, and no more.
const AT_ONCE: usize = 16;
/// Longer than any read waits.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// A page holds a hundred orders of a hundred lines.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Where the shop is, and the connections to it.
pub(crate) struct RunningShop {
    runtime: Runtime,
    client: Client<HttpConnector, Empty<Bytes>>,
    url: String,
}

impl RunningShop {
    /// The shop at this URL.
    ///
    /// # Errors
    /// It is not the URL of a shop.
    pub(crate) fn at(url: &str) -> Result<Self, Failure> {
        let is_shop = url.parse::<Uri>().is_ok_and(|uri| {
            uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none()
        });
        if !is_shop {
            let detail =
                format!("`{url}` is not where a shop is; it looks like http://127.0.0.1:8080");
            return Err(Failure::flag("url", detail));
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(AT_ONCE).build(connector);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Unreachable(format!("could not start a thread: {error}")))?;
        Ok(Self { runtime, client, url: url.trim_end_matches('/').to_owned() })
    }
}

impl Shop for RunningShop {
    fn get(&self, paths: Vec<String>) -> Result<Vec<Answer>, String> {
        let count = paths.len();
        let (paths, next) = (Arc::new(paths), Arc::new(AtomicUsize::new(0)));
        self.runtime.block_on(async {
            let mut askers = JoinSet::new();
            for _ in 0..AT_ONCE.min(count) {
                let (client, url) = (self.client.clone(), self.url.clone());
                let (paths, next) = (Arc::clone(&paths), Arc::clone(&next));
                askers.spawn(async move {
                    let mut answers = Vec::new();
                    while let Some((at, path)) = {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        paths.get(at).map(|path| (at, path))
                    } {
                        answers.push((at, get(&client, &format!("{url}{path}")).await?));
                    }
                    Ok::<_, String>(answers)
                });
            }
            let mut answers = Vec::with_capacity(count);
            while let Some(asked) = askers.join_next().await {
                answers.extend(asked.map_err(|error| error.to_string())??);
            }
            answers.sort_by_key(|(at, _)| *at);
            Ok(answers.into_iter().map(|(_, answer)| answer).collect())
        })
    }
}

async fn get(client: &Client<HttpConnector, Empty<Bytes>>, url: &str) -> Result<Answer, String> {
    let named = |error: &dyn std::error::Error| format!("{url}: {}", causes(error));
    let uri = url.parse::<Uri>().map_err(|error| named(&error))?;
    let answered = async {
        let response = client.get(uri).await.map_err(|error| named(&error))?;
        let status = response.status().as_u16();
        let (epoch, written) = stands_at(response.headers());
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| format!("{url}: {error}"))?.to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Answer { status, epoch, written, body })
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, answered).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(named(&elapsed)),
    }
}

/// The epoch of the read, and the newest that wrote a row of it.
fn stands_at(headers: &HeaderMap) -> (u64, u64) {
    let text = |name| headers.get(name).map(HeaderValue::to_str).and_then(Result::ok);
    let epoch = text("watermart-epoch").and_then(|text| text.parse().ok());
    let tag = text("etag").and_then(|tag| tag.trim_matches('"').split_once('.'));
    let written = tag.and_then(|(_, epoch)| epoch.parse().ok());
    // An answer without them is compared with the fold as it stands.
    (epoch.unwrap_or(0), written.unwrap_or(0))
}

/// The error and what it came from: the outermost alone names no cause.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

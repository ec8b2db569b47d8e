//! A shop that answers as a test says, on any free port.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// What the double does with a request.
pub(crate) enum Reply {
    Json(u16, Value),
    /// The same, once notified.
    Held(Arc<Notify>, u16, Value),
    /// Ends the connection without an answer.
    Cut,
}

/// The double is told `POST /v1/batch` and the body, null if there is none; returns its URL.
pub(crate) async fn shop(reply: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let reply = Arc::new(reply);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let reply = Arc::clone(&reply);
            let service = service_fn(move |request| answer(request, Arc::clone(&reply)));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    url
}

async fn answer(
    request: Request<Incoming>,
    reply: Arc<impl Fn(&str, &Value) -> Reply>,
) -> Result<Response<Full<Bytes>>, &'static str> {
    let asked = format!("{} {}", request.method(), request.uri());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    let (status, json) = match reply(&asked, &body) {
        Reply::Json(status, json) => (status, json),
        Reply::Held(until, status, json) => {
            until.notified().await;
            (status, json)
        }
        Reply::Cut => return Err("cut"),
    };
    let json = Full::new(Bytes::from(json.to_string()));
    Ok(Response::builder().status(status).body(json).unwrap())
}

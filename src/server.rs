//! The HTTP server: connections to a router, until it is told to stop; then those under way finish.
//!
//! A connection that does not send the head of a request in time is closed, an idle one too: who
//! only opens connections must not keep others out.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How long a connection may take to send the head of its next request.
pub(crate) const HEAD_MAX: Duration = Duration::from_secs(60);
/// Before it is tried again to take a connection, where the process has no more files to open.
const RETRY: Duration = Duration::from_millis(100);

/// Serves until a word, or the end, of `stop`; then takes no connection and finishes the open ones.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    head_max: Duration,
    stop: oneshot::Receiver<()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head_max);
    let open = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "could not take a connection");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(app.clone());
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A caller that breaks off, or is too slow, is no fault of the shop.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    open.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    /// Sends these bytes to a server with little patience; gives all that comes back until it
    /// closes the connection.
    async fn answered(sent: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/", get(|| async { "here" }));
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(serve(listener, app, Duration::from_millis(250), stopped));
        let sent = sent.to_owned();
        let asked = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(sent.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let answer = asked.await.unwrap();
        stop.send(()).unwrap();
        server.await.unwrap();
        answer
    }

    #[tokio::test]
    async fn who_does_not_finish_a_head_is_cut_off() {
        for sent in ["", "GET / HTTP/1.1\r\nhost: shop\r\n"] {
            let answer = answered(sent).await;
            assert!(!answer.contains("here"), "{answer}");
        }
        let answer = answered("GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await;
        assert!(answer.ends_with("here"), "{answer}");
    }
}

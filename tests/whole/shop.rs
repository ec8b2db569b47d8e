//! A shop that runs for one test: the shipped command on a directory of its own, and a caller.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Deref;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A running shop, and who asks it; killed when it is dropped.
pub(crate) struct Shop {
    process: Child,
    caller: Caller,
}

/// Asks a shop over HTTP.
pub(crate) struct Caller {
    url: String,
    runtime: Runtime,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Deref for Shop {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// An answer: its status and body.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub status: u16,
    pub body: Value,
}

/// A request to be made.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    key: Option<String>,
    /// Seconds that the decision is waited for.
    wait: Option<u32>,
    body: Option<Value>,
}

impl Ask {
    pub(crate) fn get(path: &str) -> Self {
        Self { method: Method::GET, path: path.to_owned(), key: None, wait: None, body: None }
    }

    pub(crate) fn put(path: &str, body: Value) -> Self {
        Self { method: Method::PUT, body: Some(body), ..Self::get(path) }
    }

    pub(crate) fn post(path: &str, key: &str, body: Value) -> Self {
        Self { method: Method::POST, key: Some(key.to_owned()), ..Self::put(path, body) }
    }

    /// Waits for the decision.
    pub(crate) fn and_wait(self) -> Self {
        self.and_wait_at_most(30)
    }

    /// The same, for so many seconds.
    pub(crate) fn and_wait_at_most(self, seconds: u32) -> Self {
        Self { wait: Some(seconds), ..self }
    }
}

/// The shipped command.
pub(crate) fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watermart"));
    command.arg("--data").arg(data).env("RUST_LOG", "warn");
    // Where the tests' servers are is no flag of the command, which refuses names it does not know.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("WATERMART_TEST_")) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the shipped command to its end.
pub(crate) fn run(data: &Path, arguments: &[&str]) -> Output {
    command(data).args(arguments).output().unwrap()
}

impl Shop {
    /// Starts a shop on `data` and waits until it is ready.
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        Self::start_part("up", data, arguments)
    }

    /// The same, of one part of the shop.
    pub(crate) fn start_part(part: &str, data: &Path, arguments: &[&str]) -> Self {
        Self::start_telling(part, data, arguments, Stdio::inherit())
    }

    /// The same, with its log going there.
    pub(crate) fn start_telling(
        part: &str,
        data: &Path,
        arguments: &[&str],
        log: impl Into<Stdio>,
    ) -> Self {
        let any_port = if arguments.contains(&"--port") { &[][..] } else { &["--port", "0"] };
        let mut process = command(data)
            .args([part, "--json"])
            .args(any_port)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("one line of JSON when it is ready");
        let caller = Caller::of(ready["url"].as_str().unwrap().to_owned());
        Self { process, caller }
    }

    /// A new shop on a directory of its own, with warehouses A, B, C.
    pub(crate) fn with_warehouses(arguments: &[&str]) -> (Self, TempDir) {
        let data = TempDir::new().unwrap();
        let shop = Self::start(data.path(), arguments);
        for (id, region) in [("A", "eu"), ("B", "eu"), ("C", "us")] {
            let body = json!({ "name": id, "region": region, "priority": 10 });
            let put = Ask::put(&format!("/v1/warehouses/{id}"), body).and_wait();
            assert_eq!(shop.ask(put).status, 200);
        }
        (shop, data)
    }

    /// Whether it runs, or how it ended.
    pub(crate) fn outcome(&mut self) -> String {
        let ended = self.process.try_wait().unwrap();
        ended.map_or_else(|| "runs".to_owned(), |status| format!("ended: {status}"))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as a power cut would end the process.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop; gives its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.end()
    }

    /// The same, of one that is put in its place by another.
    pub(crate) fn end(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.process.wait().unwrap().code()
    }

    /// Sends it a signal: `STOP` pauses it, `CONT` has it go on.
    pub(crate) fn signal(&self, name: &str) {
        let (name, pid) = (format!("-{name}"), self.process.id().to_string());
        assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
    }
}

impl Caller {
    /// Of the shop at this URL.
    pub(crate) fn of(url: String) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // The shop closes a connection on which nothing is asked for a while.
        let idle = Duration::from_secs(2);
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(idle).build_http();
        Self { url, runtime, client }
    }

    /// Where the shop is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Lists a product at 5.00 USD and takes in units of it, by warehouse.
    pub(crate) fn stock(&self, product: &str, units: &[(&str, u32)]) {
        let body = json!({
            "seller_id": "s1", "name": product, "description": "", "category": "things",
            "brand": "b", "price": 500, "currency": "USD", "attributes": {}, "image_urls": [],
            "order_quantity_max": null,
        });
        let put = Ask::put(&format!("/v1/products/{product}"), body).and_wait();
        assert_eq!(self.ask(put).status, 200);
        for (warehouse, quantity) in units {
            let body =
                json!({ "warehouse_id": warehouse, "quantity": quantity, "reference": "first" });
            let path = format!("/v1/products/{product}/stock/receipts");
            let key = format!("first-{product}-{warehouse}");
            assert_eq!(self.ask(Ask::post(&path, &key, body).and_wait()).status, 201);
        }
    }

    /// Asks and gives the answer.
    pub(crate) fn ask(&self, ask: Ask) -> Answer {
        self.runtime.block_on(self.answer(ask)).unwrap()
    }

    /// Asks all at once and gives the answers in their order; none where the shop went away.
    pub(crate) fn ask_all(&self, asks: Vec<Ask>) -> Vec<Option<Answer>> {
        self.runtime.block_on(async {
            let asked: Vec<_> = asks.into_iter().map(|ask| self.answer(ask)).collect();
            let mut tasks = Vec::new();
            for future in asked {
                tasks.push(tokio::spawn(future));
            }
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.unwrap().ok());
            }
            answers
        })
    }

    fn answer(
        &self,
        ask: Ask,
    ) -> impl Future<Output = Result<Answer, hyper_util::client::legacy::Error>> + use<> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(format!("{}{}", self.url, ask.path))
            .header("content-type", "application/json");
        if let Some(key) = ask.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(seconds) = ask.wait {
            request = request.header("prefer", format!("wait={seconds}"));
        }
        let body = ask.body.map(|body| body.to_string()).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let client = self.client.clone();
        async move {
            let response = client.request(request).await?;
            let status = response.status().as_u16();
            // A body that breaks off is an answer that was not given.
            let body = response.into_body().collect().await.map(|body| body.to_bytes());
            let body = body.unwrap_or_default();
            Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
        }
    }

    /// Sends these bytes on a connection of their own; gives all that comes back.
    pub(crate) fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut connection = TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        connection.write_all(request).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        answer
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A checkout's body: lines of (product, quantity) at 5.00 USD.
pub(crate) fn basket(customer: &str, method: &str, lines: &[(&str, u32)]) -> Value {
    let items: Vec<_> = lines
        .iter()
        .map(|(product, quantity)| {
            json!({ "product_id": product, "quantity": quantity, "price": 500 })
        })
        .collect();
    json!({
        "customer_id": customer, "items": items, "currency": "USD",
        "ship_to": { "region": "eu" }, "payment_method": method,
    })
}

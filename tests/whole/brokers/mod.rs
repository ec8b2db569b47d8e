//! Brokers that fail under a shop that sells: killed, paused, cut off, refusing. Whatever happens to
//! them, what was acknowledged is there, nothing is done twice, and the audit is clean.
//!
//! Each test has brokers of its own, by the script that `WATERMART_TEST_SERVERS` names. Two brokers
//! run at a time, for these tests wait more than they work; three, of one test, run alone (and, by its
//! name, last: whoever waits for all places keeps a thread from the other tests).

mod doubles;
mod outage;
mod paused;
mod proxied;
mod proxy;
mod refused;
mod three;

use crate::servers::told;
use crate::shop::{Answer, Ask, Caller, Shop, command, run};
use serde_json::{Value, json};
use sinks::clock::Clock;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// How long anything may take here before it has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Decisions are there again this long after the brokers are.
const RETURN_MAX: Duration = Duration::from_secs(5);

/// What a load's ledger tells of a checkout.
const SOLD: &str = r#""kind":"checkout""#;
/// And of an action that was taken.
const TAKEN: &str = r#""status":202"#;
/// A load that nobody ends is over then, in seconds.
const LOAD_MAX_S: u32 = 300;

/// Places for brokers: with more at a time, two cores measure nothing.
const PLACES: usize = 2;

static PLACES_TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

/// Places that are taken, and given back at the end.
struct Places(usize);

impl Places {
    /// Waits until there are so many, or all that there are.
    fn take(brokers: usize) -> Self {
        let places = brokers.min(PLACES);
        let taken = PLACES_TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = GIVEN_BACK.wait_while(taken, |taken| *taken + places > PLACES);
        *taken.unwrap_or_else(PoisonError::into_inner) += places;
        Self(places)
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        *PLACES_TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        GIVEN_BACK.notify_all();
    }
}

/// Brokers of a test's own.
struct Brokers {
    folder: TempDir,
    _places: Places,
}

impl Brokers {
    /// One, or three.
    fn start(brokers: usize) -> Self {
        Self::start_with(brokers, &[("BROKERS", &brokers.to_string())])
    }

    /// One, whose clients come by a proxy that listens on this port.
    fn start_proxied(port: u16) -> Self {
        Self::start_with(1, &[("BROKERS", "1"), ("PROXY_PORT", &port.to_string())])
    }

    fn start_with(brokers: usize, environment: &[(&str, &str)]) -> Self {
        let places = Places::take(brokers);
        let brokers = Self { folder: TempDir::new().unwrap(), _places: places };
        let mut script = brokers.script(&["start", "kafka"]);
        brokers.tell(script.env("KAFKA_PORT", "0").envs(environment.iter().copied()));
        brokers
    }

    fn script(&self, arguments: &[&str]) -> Command {
        let mut script = Command::new(told("WATERMART_TEST_SERVERS"));
        script.env("RUN", self.folder.path().join("set")).env("REGISTRY_PORT", "0").args(arguments);
        script
    }

    fn tell(&self, script: &mut Command) -> String {
        let output = script.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ends one at once.
    fn kill(&self, number: usize) {
        self.tell(&mut self.script(&["kill9", "kafka", &number.to_string()]));
    }

    /// Starts these; returns when each has answered a client.
    fn start_again(&self, numbers: &[usize]) {
        let numbers = numbers.iter().map(ToString::to_string);
        self.tell(self.script(&["start", "kafka"]).args(numbers));
    }

    /// Sends it a signal.
    fn signal(&self, number: usize, signal: &str) {
        let pid = self.tell(&mut self.script(&["pid", "kafka", &number.to_string()]));
        assert!(Command::new("kill").args([signal, pid.trim()]).status().unwrap().success());
    }

    /// Where clients go: `host:port`, comma-separated. Of a set behind a proxy, past it.
    fn addresses(&self) -> String {
        self.named("kafka")
    }

    /// Where clients come from that are sent to the proxy for all else.
    fn proxied(&self) -> String {
        self.named("proxied")
    }

    fn named(&self, name: &str) -> String {
        let status = self.tell(&mut self.script(&["status"]));
        let lines = status.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.split_whitespace().nth(1)).collect::<Vec<_>>().join(",")
    }

    /// The shop's log, as `--log-url` says it.
    fn url(&self) -> String {
        format!("kafka://{}/faults", self.addresses())
    }

    /// Runs a line of Python with an `admin` client, for what only a client of others can ask.
    fn administer(&self, line: &str) {
        let script = format!(
            "from confluent_kafka.admin import *\n\
             admin = AdminClient({{'bootstrap.servers': '{}'}})\n{line}",
            self.addresses()
        );
        let output = Command::new(told("WATERMART_TEST_PYTHON")).args(["-c", &script]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Site {
    /// Whoever looks for the cause finds what the shop said.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the shop {}", self.shop.outcome());
            let log = std::fs::read_to_string(self.data.path().join("shop.log"));
            let log = log.unwrap_or_default();
            let lines = log.lines().count().saturating_sub(60);
            eprintln!("{}", log.lines().skip(lines).collect::<Vec<_>>().join("\n"));
        }
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        // The folder goes in any case; a test that failed has said why. Nobody needs what they
        // would write as they end.
        for how in ["kill9", "wipe"] {
            let _ = self.script(&[how]).status();
        }
    }
}

/// A shop on brokers, and its directory.
struct Site {
    shop: Shop,
    data: TempDir,
    url: String,
}

impl Site {
    /// Opens a shop with warehouses and the product P1.
    fn open(url: &str, arguments: &[&str]) -> Self {
        let data = TempDir::new().unwrap();
        let site = Self { shop: start(data.path(), url, arguments), data, url: url.to_owned() };
        for (id, region) in [("A", "eu"), ("B", "us")] {
            let body = json!({ "name": id, "region": region, "priority": 10 });
            let put = Ask::put(&format!("/v1/warehouses/{id}"), body).and_wait();
            assert_eq!(site.shop.ask(put).status, 200);
        }
        site.shop.stock("P1", &[("A", 1_000_000)]);
        site
    }

    /// Stops it, and starts it again.
    fn reopen(&mut self, arguments: &[&str]) {
        assert_eq!(self.shop.end(), Some(0));
        self.shop = start(self.data.path(), &self.url, arguments);
    }

    /// Blocks until something is decided; gives how long that took.
    fn decides(&self) -> Duration {
        let clock = Clock::system();
        loop {
            let answer = self.shop.ask(small());
            match answer.status {
                200 => return clock.elapsed(),
                202 | 503 => assert!(clock.elapsed() < PATIENCE, "{answer:?}"),
                _ => panic!("{answer:?}"),
            }
        }
    }

    /// Blocks until an order is decided, and paid for by the sandbox; gives how long the first took.
    /// A payment is asked for behind the outputs of the whole outage, so it may take longer.
    fn sells(&self) -> Duration {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let key = format!("sells-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let clock = Clock::system();
        // A partition may hear of its broker a moment after another: until then it takes nothing.
        let answer = loop {
            let answer = self.shop.ask(small_checkout("sells", &key).and_wait());
            match answer.status {
                201 => break answer,
                503 => assert!(clock.elapsed() < PATIENCE, "{answer:?}"),
                _ => panic!("{answer:?}"),
            }
        };
        let decided = clock.elapsed();
        let order = format!("/v1/orders/{}", answer.body["order_id"].as_str().unwrap());
        loop {
            let answer = self.shop.ask(Ask::get(&order));
            if answer.body["state"] == "confirmed" {
                say(format_args!("paid for {} ms later", (clock.elapsed() - decided).as_millis()));
                return decided;
            }
            assert!(clock.elapsed() < PATIENCE, "{answer:?}");
        }
    }

    /// Sells for so many seconds, unless it is ended before.
    fn load(&self, rate: u32, seconds: u32) -> Load {
        let ledger = self.ledger();
        let (rate, seconds) = (rate.to_string(), seconds.to_string());
        let process = command(self.data.path())
            .args(["load", "steady", "--url", self.shop.url(), "--json", "--products", "50"])
            .args(["--customers", "500", "--rate", &rate, "--seconds", &seconds, "--ledger"])
            .arg(&ledger)
            .stdout(Stdio::piped())
            .stderr(File::create(self.data.path().join("load.log")).unwrap())
            .spawn()
            .unwrap();
        Load { process }
    }

    /// The same until it is ended, when it has filled the shop and sells.
    fn selling(&self, rate: u32) -> Load {
        let load = self.load(rate, LOAD_MAX_S);
        self.takes(1);
        load
    }

    /// Blocks until the load's ledger tells of this many more checkouts that were taken.
    fn takes(&self, more: usize) {
        let taken = || {
            let ledger = std::fs::read_to_string(self.ledger()).unwrap_or_default();
            ledger.lines().filter(|line| line.contains(SOLD) && line.contains(TAKEN)).count()
        };
        let (clock, before) = (Clock::system(), taken());
        while taken() < before + more {
            assert!(clock.elapsed() < PATIENCE, "the load does not sell");
            self.decides();
        }
    }

    fn ledger(&self) -> PathBuf {
        self.data.path().join("ledger")
    }

    /// What the second opinion is of the log, of the running shop's views, and, if there is one, of
    /// the load's ledger.
    fn audited(&self) -> Value {
        let ledger = self.ledger();
        let mut arguments = vec!["audit", "--json", "--log-url", &self.url];
        arguments.extend(["--url", self.shop.url()]);
        if ledger.exists() {
            arguments.extend(["--ledger", ledger.to_str().unwrap()]);
        }
        let output = run(self.data.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let report: Value = serde_json::from_slice(&output.stdout).expect(&said);
        let broken = report["invariants"].as_array().unwrap().iter();
        let broken: Vec<_> = broken.filter(|verdict| verdict["breaches"] != 0).collect();
        assert!(output.status.success() && broken.is_empty(), "{broken:#?}\n{said}");
        assert!(report["views"].as_array().unwrap().iter().any(|view| view["rows"] != 0));
        report
    }

    /// Kilobytes of memory.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.shop.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Lines that the shop has logged.
    fn lines_logged(&self) -> usize {
        std::fs::read_to_string(self.data.path().join("shop.log")).unwrap().lines().count()
    }
}

fn start(data: &Path, url: &str, arguments: &[&str]) -> Shop {
    let log = File::options().create(true).append(true).open(data.join("shop.log")).unwrap();
    let mut all = vec!["--log-url", url];
    all.extend(arguments);
    Shop::start_telling("up", data, &all, log)
}

/// Tells whoever runs it what was measured.
#[expect(clippy::print_stdout, reason = "a measurement")]
fn say(measured: std::fmt::Arguments<'_>) {
    println!("{measured}");
}

/// Something small that can be asked any number of times.
fn small() -> Ask {
    let body = json!({ "name": "A", "region": "eu", "priority": 10 });
    Ask::put("/v1/warehouses/A", body).and_wait()
}

/// A load that runs.
struct Load {
    process: Child,
}

impl Drop for Load {
    /// A test that failed leaves none behind; one that has ended is not there any more.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Load {
    /// Ends it; gives its report's outcomes.
    fn end(self) -> Value {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.finish()
    }

    /// Waits for its end; gives its report's outcomes.
    fn finish(mut self) -> Value {
        let report = self.process.stdout.take().unwrap();
        let report: Value = serde_json::from_reader(report).unwrap();
        report["outcomes"].clone()
    }
}

/// What is promised while nobody can append: no long wait, no silent old answer, the reason said.
/// Gives the statuses of those who came first, and are told when the brokers are back or after 10 s.
fn stands_without_the_log(shop: &Caller) -> JoinHandle<Vec<u16>> {
    let clock = Clock::system();
    let ready = loop {
        let ready = shop.ask(Ask::get("/readyz"));
        if ready.status == 503 {
            break ready;
        }
        assert!(clock.elapsed() < PATIENCE, "{ready:?}");
    };
    assert_eq!(ready.body["detail"], "the log does not answer");
    let old = shop.ask(Ask::get("/v1/products/P1/stock"));
    assert_eq!(old.status, 200, "an old answer is one, if it is asked for");
    // One at a time tries whether the log is back; while those wait, the others are told at once.
    let first = Caller::of(shop.url().to_owned());
    let first = std::thread::spawn(move || {
        let asks = (0..20).map(|n| small_checkout(&format!("C{n}"), "meanwhile")).collect();
        first.ask_all(asks).into_iter().map(|answer| answer.unwrap().status).collect()
    });
    // Longer than a partition must be silent to count as such.
    let strong = shop.ask(Ask::get("/v1/products/P1/stock?consistency=strong&wait=3"));
    assert_eq!((strong.status, &strong.body["code"]), (503, &json!("view_behind")));
    let asks = (0..40).map(|_| small_checkout("C0", "turned-away")).collect();
    let answers: Vec<Answer> = shop.ask_all(asks).into_iter().map(Option::unwrap).collect();
    for answer in &answers {
        assert_eq!((answer.status, &answer.body["code"]), (503, &json!("log_unavailable")));
    }
    let told =
        |answer: &&Answer| answer.body["detail"] == "the action was not taken; send it again";
    let at_once = answers.iter().filter(told).count();
    assert!(at_once >= 39, "{at_once} of 40");
    let head = shop.raw(
        b"PUT /v1/warehouses/A HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\
          content-type: application/json\r\ncontent-length: 43\r\n\r\n\
          {\"name\":\"A\",\"region\":\"eu\",\"priority\":10}    ",
    );
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 503") && head.contains("retry-after: 1"), "{head}");
    first
}

/// Those who came first in an outage were told one or the other.
fn told_either(first: JoinHandle<Vec<u16>>) {
    let statuses = first.join().unwrap();
    assert!(statuses.iter().all(|status| [202, 503].contains(status)), "{statuses:?}");
}

fn small_checkout(customer: &str, key: &str) -> Ask {
    Ask::post("/v1/checkouts", key, crate::shop::basket(customer, "tok_ok", &[("P1", 1)]))
}

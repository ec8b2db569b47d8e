//! What a request says beside its path: who asks, with which key and conditions, and the body.

use crate::fields::{Errors, Place};
use crate::ingest::Ingest;
use crate::json::{self, Json};
use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;
use edge::principal::Principal;
use edge::problem::{Code, Problem};
use schemas::limits::IDEMPOTENCY_KEY_MAX;
use std::time::Duration;
use utoipa::IntoParams;

/// Bytes of one action's body.
pub(crate) const BODY_BYTES_MAX: usize = 64 << 10;
/// Values in one action's body: a body of that size holds no more.
const VALUES_MAX: usize = BODY_BYTES_MAX;
/// The longest `Prefer: wait`, in seconds.
const WAIT_MAX: u64 = 30;

/// What a keyed action is asked with, for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes headers; `Call` takes them")]
pub(crate) struct Keyed {
    /// The caller's name for this request: the same whenever it is repeated.
    #[param(rename = "Idempotency-Key", pattern = "^[!-~]{1,255}$")]
    idempotency_key: String,
    /// `wait=N`: answer when it is decided, or after N seconds, 1 to 30. A process that has no
    /// views, as `watermart ingest`, does not wait: the answer is 202 without `Preference-Applied`.
    #[param(rename = "Prefer", required = false, example = "wait=5")]
    prefer: String,
}

/// What an action without a key is asked with.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes headers; `Call` takes them")]
pub(crate) struct Waiting {
    /// `wait=N`: answer when it is decided, or after N seconds, 1 to 30. A process that has no
    /// views, as `watermart ingest`, does not wait: the answer is 202 without `Preference-Applied`.
    #[param(rename = "Prefer", required = false, example = "wait=5")]
    prefer: String,
}

/// What a change of a listing is asked with.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes headers; `Call` takes them")]
pub(crate) struct Conditional {
    /// The `ETag` of the listing that the caller saw; a stale one is refused.
    #[param(rename = "If-Match", required = false, pattern = r#"^"[0-9]{1,18}(\.[0-9]{1,18})?"$"#)]
    if_match: String,
    /// `wait=N`: answer when it is decided, or after N seconds, 1 to 30. A process that has no
    /// views, as `watermart ingest`, does not wait: the answer is 202 without `Preference-Applied`.
    #[param(rename = "Prefer", required = false, example = "wait=5")]
    prefer: String,
}

/// A request for one action.
pub(crate) struct Call {
    pub(crate) principal: Principal,
    /// How long to wait for the decision.
    pub(crate) wait: Option<Duration>,
    pub(crate) ask: Ask,
    body: Bytes,
}

/// What an action is asked with, singly or in a batch.
pub(crate) struct Ask {
    idempotency_key: Option<String>,
    /// The listing's version that the caller saw.
    pub(crate) if_match: Option<u64>,
}

impl Ask {
    pub(crate) fn in_batch(idempotency_key: Option<String>) -> Self {
        Self { idempotency_key, if_match: None }
    }

    /// The key; an action that needs one asks for it.
    pub(crate) fn key(&self) -> Result<&str, Problem> {
        let missing = "send a header Idempotency-Key: 1 to 255 visible ASCII characters, the same \
                       whenever this request is repeated";
        let key = self
            .idempotency_key
            .as_deref()
            .ok_or_else(|| Problem::new(Code::IdempotencyKeyMissing, missing))?;
        let legal = (1..=IDEMPOTENCY_KEY_MAX).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !legal {
            let detail = "must be 1 to 255 visible ASCII characters";
            return Err(Problem::field("/idempotency_key", detail));
        }
        Ok(key)
    }
}

impl Call {
    /// The body, its fields not yet looked at.
    pub(crate) fn json(&self) -> Result<Json<'_>, Problem> {
        read_json(&self.body, VALUES_MAX)
    }
}

/// Reads a body of at most `values_max` values.
pub(crate) fn read_json(body: &[u8], values_max: usize) -> Result<Json<'_>, Problem> {
    json::parse(body, values_max)
        .map_err(|error| Problem::new(Code::Malformed, format!("not JSON: {error}")))
}

/// Reads a body's fields.
pub(crate) fn read_fields<T>(
    json: &Json<'_>,
    read: impl FnOnce(Place<'_, '_>) -> Option<T>,
) -> Result<T, Problem> {
    let errors = Errors::default();
    let value = read(Place::body(json, &errors));
    errors.finish(value)
}

impl FromRequest<Ingest> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, ingest: &Ingest) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Ok(principal) = Principal::from_request_parts(&mut parts, ingest).await;
        let wait = wait(&parts.headers)?;
        let ask = Ask {
            idempotency_key: idempotency_key(&parts.headers)?,
            if_match: if_match(&parts.headers)?,
        };
        let body = if parts.method == Method::DELETE {
            Bytes::new()
        } else {
            json_body(Request::from_parts(parts, body), ingest, BODY_BYTES_MAX).await?
        };
        Ok(Self { principal, wait, ask, body })
    }
}

/// The body of a request that says it is JSON, of at most `max` bytes.
pub(crate) async fn json_body(
    request: Request,
    ingest: &Ingest,
    max: usize,
) -> Result<Bytes, Problem> {
    let media =
        request.headers().get(header::CONTENT_TYPE).map_or("", |v| v.to_str().unwrap_or(""));
    let essence = media.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "send Content-Type: application/json";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    raw_body(request, ingest, max).await
}

/// The body of any request, of at most `max` bytes, which is the router's limit too. One that
/// says that it is longer is refused before it is sent.
pub(crate) async fn raw_body(
    request: Request,
    ingest: &Ingest,
    max: usize,
) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(Code::TooLarge, format!("the body must have at most {max} bytes"));
    let says = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    if says.and_then(|length| length.parse().ok()).is_some_and(|length: u64| length > max as u64) {
        return Err(too_large());
    }
    let reading = Bytes::from_request(request, ingest);
    let late = || Problem::new(Code::Malformed, "the body did not arrive in time");
    tokio::time::timeout(ingest.limits().body_timeout, reading)
        .await
        .map_err(|_elapsed| late())?
        .map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                return too_large();
            }
            Problem::new(Code::Malformed, rejection.body_text())
        })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::field("/idempotency_key", "must be given once"));
    }
    // What is no text is no visible ASCII either, and is refused as such.
    Ok(Some(String::from_utf8_lossy(value.as_bytes()).into_owned()))
}

/// `Prefer: wait=N`; other preferences are not for us.
fn wait(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let malformed =
        || Problem::malformed("prefer", format!("must be wait=N, 1 to {WAIT_MAX} seconds"));
    for value in headers.get_all("prefer") {
        let text = value.to_str().map_err(|_not_ascii| malformed())?;
        for preference in text.split(',') {
            let (name, seconds) = preference.split_once('=').unwrap_or((preference, ""));
            if !name.trim().eq_ignore_ascii_case("wait") {
                continue;
            }
            let seconds = number(seconds.trim()).filter(|n| (1..=WAIT_MAX).contains(n));
            return seconds.map(|n| Some(Duration::from_secs(n))).ok_or_else(malformed);
        }
    }
    Ok(None)
}

/// `If-Match: "7.123"`: the part before the dot is the listing's version, the epoch is not asked.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::malformed("if_match", "must be given once"));
    }
    let version = value.to_str().ok().and_then(|text| {
        let tag = text.trim().strip_prefix('"')?.strip_suffix('"')?;
        let (version, epoch) = tag.split_once('.').unwrap_or((tag, "0"));
        number(epoch)?;
        number(version)
    });
    let must = "must be an ETag of this product, such as \"7.123\"";
    version.map(Some).ok_or_else(|| Problem::malformed("if_match", must))
}

/// Decimal digits and nothing else, in the range of versions on the log.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<i64>().ok().filter(|_| digits).map(i64::unsigned_abs)
}

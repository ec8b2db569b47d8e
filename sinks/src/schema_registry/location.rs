//! Where the registry is, as `--registry-url` says it.

use std::fmt;
use std::str::FromStr;

/// `embedded:`, or `http://host:8081`, with the path of the API if it is not at the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// The schemas compiled in.
    Embedded,
    /// A server, by the address before `/subjects`.
    Server(String),
}

impl FromStr for Location {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        if url == "embedded:" {
            return Ok(Self::Embedded);
        }
        let place = url.strip_prefix("http://").map(|place| place.trim_end_matches('/'));
        let host = place.and_then(|place| place.split('/').next()).unwrap_or_default();
        let legal = !url.contains(|c: char| c.is_whitespace() || matches!(c, '?' | '#' | '@'));
        if host.is_empty() || host.starts_with(':') || !legal {
            return Err(format!(
                "`{url}` is not where a schema registry is; use embedded: or http://HOST:8081, \
                 with the path of its API if it has one"
            ));
        }
        Ok(Self::Server(url.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded:"),
            Self::Server(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_path() {
        for (url, shown) in [
            ("embedded:", "embedded:"),
            ("http://h:8081", "http://h:8081"),
            ("http://h:8081/", "http://h:8081"),
            ("http://h/apis/ccompat/v7/", "http://h/apis/ccompat/v7"),
        ] {
            assert_eq!(url.parse::<Location>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for url in ["", "h:8081", "https://h", "http://", "http:///x", "http://:1", "http://a b"] {
            assert!(url.parse::<Location>().unwrap_err().contains(&format!("`{url}`")));
        }
    }
}

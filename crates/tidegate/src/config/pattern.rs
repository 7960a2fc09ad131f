//! What requests are compared with: hosts, paths and origins.

use std::fmt;

use regex::Regex;

/// `host = …` of a route: lower-case, without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This name.
    Exact(String),
    /// `*.example.com`: one or more labels in place of the star.
    Subdomains(String),
}

/// `path = …` of a route. The query takes no part.
#[derive(Debug, Clone)]
pub enum PathPattern {
    /// `"/vnc"`: this path.
    Exact(String),
    /// `"/vnc/*"`: this path (kept here without the `/*`) and everything below it; `"/*"` is the empty string, everything.
    Prefix(String),
    /// `"~regex"`: anchored at both ends; the regex kept here has the anchors, the text is as written, with the tilde.
    Regex(Regex, String),
}

/// `origins = …` of a route.
#[derive(Debug, Clone, PartialEq)]
pub enum OriginPolicy {
    /// Not set: an Origin equal to the request's own scheme, host and port.
    SameOrigin,
    /// `["*"]`: every site, `null` included.
    Any,
    /// One of these.
    List(Vec<OriginPattern>),
}

/// One entry of `origins`.
#[derive(Debug, Clone)]
pub enum OriginPattern {
    /// `https://example.com[:port]`: lower-case, with the port always known.
    Exact(OriginTuple),
    /// `https://*.example.com[:port]`: one or more labels in place of the star; `host` is what follows `*.`.
    Subdomains(OriginTuple),
    /// `~regex`: anchored at both ends (the anchors are in it), over the whole origin.
    Regex(Regex),
    /// `"null"`.
    Null,
}

/// An origin as scheme, host and port (RFC 6454 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginTuple {
    /// Lower-case.
    pub scheme: String,
    /// Lower-case; IPv6 with brackets, in its shortest form.
    pub host: String,
    /// Given, or the default of the scheme.
    pub port: u16,
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(one), Self::Exact(another)) | (Self::Prefix(one), Self::Prefix(another)) => {
                one == another
            }
            (Self::Regex(_, one), Self::Regex(_, another)) => one == another,
            (Self::Exact(_) | Self::Prefix(_) | Self::Regex(..), _) => false,
        }
    }
}

impl PartialEq for OriginPattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(one), Self::Exact(another)) | (Self::Subdomains(one), Self::Subdomains(another)) => {
                one == another
            }
            (Self::Regex(one), Self::Regex(another)) => one.as_str() == another.as_str(),
            (Self::Null, Self::Null) => true,
            (Self::Exact(_) | Self::Subdomains(_) | Self::Regex(_) | Self::Null, _) => false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Subdomains(host) => write!(f, "*.{host}"),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Prefix(path) => write!(f, "{path}/*"),
            Self::Regex(_, text) => f.write_str(text),
        }
    }
}

//! A URL of a kubeconfig: what it is asked with, and what of it may be shown.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// An `http://` or `https://` URL, its user information apart from it.
///
/// No error and no output shows more than [`Address::shown`]: `user:password@` and `?token=..` are secrets.
#[derive(Clone)]
pub(super) struct Address {
    /// Scheme, host, port and path.
    pub(super) uri: Uri,
    /// `user:password`, percent-decoded.
    pub(super) user: Option<Zeroizing<Vec<u8>>>,
}

impl Address {
    /// Reads a URL; what is wrong with it is said without any of its characters.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let parts = text.trim().parse::<Uri>().map_err(|_unsaid| "not a valid URL")?.into_parts();
        let scheme = parts.scheme.filter(|s| *s == Scheme::HTTP || *s == Scheme::HTTPS);
        let scheme = scheme.ok_or("not a URL that begins with https:// or http://")?;
        let authority = parts.authority.ok_or("a URL without a host")?;
        let (user, host) = match authority.as_str().rsplit_once('@') {
            Some((user, host)) => {
                (Some(Zeroizing::new(percent_decode_str(user).collect::<Vec<u8>>())), host)
            }
            None => (None, authority.as_str()),
        };
        let host: Authority = host.parse().map_err(|_unsaid| "a URL without a valid host")?;
        if host.host().is_empty() {
            return Err("a URL without a host");
        }
        let path = parts.path_and_query.as_ref().map_or("/", PathAndQuery::path);
        if path.contains('@') {
            // What precedes it may be the end of a password: to ask the host before it would also be wrong.
            return Err("a URL with `@` after its host; in a password, write `/` as %2F");
        }
        let built = Uri::builder().scheme(scheme).authority(host).path_and_query(path).build();
        Ok(Self { uri: built.map_err(|_unsaid| "not a valid URL")?, user })
    }

    /// `https://host:6443/path`, without what may be secret.
    pub(super) fn shown(&self) -> String {
        self.uri.to_string().trim_end_matches('/').to_owned()
    }

    /// The host, without brackets around an IPv6 address.
    pub(super) fn host(&self) -> &str {
        self.uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, or that of the scheme.
    pub(super) fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// Whether it is `https://`.
    pub(super) fn is_https(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }

    /// Whether the host is this machine: `localhost`, or an address of loopback.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.host();
        host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_secret() {
        let check = |text: &str, shown: Result<&str, &str>, user: Option<&str>| {
            let address = Address::parse(text);
            let found = address.as_ref().map(Address::shown).map_err(|why| *why);
            assert_eq!(found.as_deref().map_err(|why| *why), shown, "{text}");
            let found = address.ok().and_then(|address| address.user);
            assert_eq!(
                found.as_ref().map(|user| user.as_slice()),
                user.map(str::as_bytes),
                "{text}"
            );
        };
        check("https://10.0.0.1:6443", Ok("https://10.0.0.1:6443"), None);
        check(" https://host/k8s/c-1/\n", Ok("https://host/k8s/c-1"), None);
        check("http://me:s%40crét@host:8080/a?token=b#c", Err("not a valid URL"), None);
        check(
            "http://me:s%40cret@host:8080/a?token=b#c",
            Ok("http://host:8080/a"),
            Some("me:s@cret"),
        );
        check("HTTPS://secret@[::1]:6443?secret", Ok("https://[::1]:6443"), Some("secret"));
        check("https://a@b@host", Ok("https://host"), Some("a@b"));
        check("host:6443", Err("not a URL that begins with https:// or http://"), None);
        check("ftp://secret", Err("not a URL that begins with https:// or http://"), None);
        let unescaped = "a URL with `@` after its host; in a password, write `/` as %2F";
        check("https://me:9/secret@host:6443/", Err(unescaped), None);
        check("https://me/s@host", Err(unescaped), None);
        check("https://host/?token=a@b", Ok("https://host"), None);
        check("https://", Err("not a valid URL"), None);
        check("https://secret@", Err("not a valid URL"), None);
        check("https://ho st", Err("not a valid URL"), None);
        check("", Err("not a valid URL"), None);
    }

    #[test]
    fn this_machine() {
        let check = |text: &str, expect: bool| {
            assert_eq!(Address::parse(text).unwrap().is_loopback(), expect, "{text}");
        };
        for text in
            ["http://localhost:1", "http://LOCALHOST", "http://127.0.0.1", "http://127.9.9.9:80"]
        {
            check(text, true);
        }
        check("http://[::1]:8080", true);
        check("http://[::ffff:127.0.0.1]:8080", true);
        for text in
            ["http://localhost.example", "http://10.0.0.1", "http://0.0.0.0", "http://[::2]"]
        {
            check(text, false);
        }
    }
}

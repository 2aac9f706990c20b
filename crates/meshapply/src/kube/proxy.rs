//! Which proxy a server is reached through, as Go has it (`golang.org/x/net/http/httpproxy/proxy.go`).

use std::net::IpAddr;

use ipnet::IpNet;

use super::address::Address;

/// Reads an environment variable.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The proxy for a server that the kubeconfig names none for: of `HTTPS_PROXY` or `HTTP_PROXY`, unless `NO_PROXY` or
/// loopback excludes it.
///
/// What is wrong is said with the variable it is wrong in.
pub(super) fn from_env(
    server: &Address,
    env: Env<'_>,
) -> Result<Option<Address>, (&'static str, &'static str)> {
    let (upper, lower) = if server.is_https() {
        ("HTTPS_PROXY", "https_proxy")
    } else {
        ("HTTP_PROXY", "http_proxy")
    };
    let Some((name, text)) = first(upper, lower, env) else { return Ok(None) };
    let is_exempt = first("NO_PROXY", "no_proxy", env)
        .is_some_and(|(_, list)| exempts(&list, server.host(), server.port()));
    if is_exempt || server.is_loopback() {
        return Ok(None);
    }
    parse(&text).map(Some).map_err(|why| (name, why))
}

/// Reads the URL of a proxy: `host:port` alone is `http://host:port`.
pub(super) fn parse(text: &str) -> Result<Address, &'static str> {
    let text = text.trim();
    if text.contains("://") {
        Address::parse(text)
    } else {
        Address::parse(&format!("http://{text}"))
    }
}

fn first(upper: &'static str, lower: &'static str, env: Env<'_>) -> Option<(&'static str, String)> {
    let one = |name: &'static str| Some((name, env(name).filter(|value| !value.is_empty())?));
    one(upper).or_else(|| one(lower))
}

/// Whether a `NO_PROXY` list exempts a host: parts that are empty or cannot be read are skipped.
fn exempts(list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    list.split(',').any(|part| exempts_one(&part.trim().to_ascii_lowercase(), &host, port))
}

fn exempts_one(part: &str, host: &str, port: u16) -> bool {
    if part == "*" {
        return true;
    }
    let ip: Option<IpAddr> = host.parse().ok();
    if let Ok(net) = part.parse::<IpNet>() {
        return ip.is_some_and(|ip| net.contains(&ip));
    }
    let (name, only_port) = split_port(part);
    if only_port.is_some_and(|only| only != port.to_string()) {
        return false;
    }
    if let Ok(exempt) = name.parse::<IpAddr>() {
        return ip == Some(exempt);
    }
    // `example.com` is the host and all below it, `.example.com` and `*.example.com` are those below it.
    let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    match name.strip_prefix('.') {
        _ if name.is_empty() || ip.is_some() => false,
        Some(_) => host.ends_with(name),
        None => host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
    }
}

/// `host:port`, `[address]:port`, or the host alone.
fn split_port(part: &str) -> (&str, Option<&str>) {
    if let Some(rest) = part.strip_prefix('[') {
        let Some((address, rest)) = rest.split_once(']') else { return (part, None) };
        return (address, rest.strip_prefix(':'));
    }
    match part.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (part, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of `golang.org/x/net/http/httpproxy/proxy_test.go`, and lists as people write them.
    #[test]
    fn exempt_hosts() {
        let check = |list: &str, server: &str, expect: bool| {
            let server = Address::parse(server).unwrap();
            assert_eq!(
                exempts(list, server.host(), server.port()),
                expect,
                "{list} {server:?}",
                server = server.shown()
            );
        };
        check("", "https://a.example", false);
        check(",", "https://a.example", false);
        for list in ["a.example,", "a.example, ", ",a.example", " , a.example ,,", "b, A.Example"] {
            check(list, "https://a.example:6443", true);
            check(list, "https://x.a.example", true);
            check(list, "https://xa.example", false);
            check(list, "https://b.example", false);
        }
        check(".example", "https://a.example", true);
        check(".a.example", "https://a.example", false);
        check("*.a.example", "https://x.a.example", true);
        check("*.a.example", "https://a.example", false);
        check("*", "https://a.example", true);
        check("x,*,", "https://a.example", true);
        check("a.example:6443", "https://a.example:6443", true);
        check("a.example:6443", "https://a.example:443", false);
        check("a.example:443", "https://a.example", true);
        check("10.0.0.0/8,", "https://10.1.2.3:6443", true);
        check("10.0.0.0/8,", "https://11.1.2.3:6443", false);
        check("10.1.2.3", "https://10.1.2.3", true);
        check("10.1.2.3:80", "https://10.1.2.3", false);
        check("2.3", "https://10.1.2.3", false);
        check("fd00::/8", "https://[fd00::1]:6443", true);
        check("[fd00::1]:6443", "https://[fd00::1]:6443", true);
        check("fd00::1", "https://[fd00::1]:6443", true);
        check("10.0.0.0/40, nonsense/8, [::1", "https://10.1.2.3", false);
    }

    #[test]
    fn proxies_of_the_environment() {
        let check = |vars: &[(&str, &str)],
                     server: &str,
                     expect: Result<Option<&str>, (&str, &str)>| {
            let env = |name: &str| {
                vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            let found = from_env(&Address::parse(server).unwrap(), &env);
            let found = found.map(|proxy| proxy.map(|proxy| proxy.shown()));
            assert_eq!(
                found.as_ref().map(Option::as_deref).map_err(|why| *why),
                expect,
                "{vars:?}"
            );
        };
        let server = "https://a.example:6443";
        check(&[], server, Ok(None));
        check(&[("HTTPS_PROXY", "")], server, Ok(None));
        check(&[("https_proxy", "http://me:secret@p:3128")], server, Ok(Some("http://p:3128")));
        check(
            &[("HTTPS_PROXY", "p:3128"), ("https_proxy", "q")],
            server,
            Ok(Some("http://p:3128")),
        );
        check(&[("HTTP_PROXY", "p:3128")], server, Ok(None));
        check(&[("HTTP_PROXY", "p:3128")], "http://a.example", Ok(Some("http://p:3128")));
        check(&[("HTTPS_PROXY", "p"), ("NO_PROXY", "a.example,")], server, Ok(None));
        check(&[("HTTPS_PROXY", "p"), ("NO_PROXY", ""), ("no_proxy", "*")], server, Ok(None));
        // The list is of servers: a proxy's own name in it takes no proxy away.
        check(&[("HTTPS_PROXY", "p:1"), ("NO_PROXY", "p")], server, Ok(Some("http://p:1")));
        check(&[("HTTPS_PROXY", "p")], "https://127.0.0.1:6443", Ok(None));
        check(&[("HTTPS_PROXY", "p")], "https://localhost", Ok(None));
        let why = "not a URL that begins with https:// or http://";
        check(&[("HTTPS_PROXY", "socks5://me:secret@p")], server, Err(("HTTPS_PROXY", why)));
    }
}

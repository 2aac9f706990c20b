//! The URL of an API server in one form, so that two spellings of it can be compared.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A URL in one form: scheme and host in lower case, no user, no default port, no dot or slash at the end, addresses as
/// they are usually written.
pub(crate) fn normal(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let scheme = scheme.to_ascii_lowercase();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (place, ""),
    };
    let default = if scheme == "http" { "80" } else { "443" };
    let port = port.trim_start_matches('0');
    let port = if port.is_empty() || port == default { String::new() } else { format!(":{port}") };
    format!("{scheme}://{}{port}{}", normal_host(host), path.trim_end_matches('/'))
}

fn normal_host(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return match address.to_ipv4_mapped() {
            Some(mapped) => mapped.to_string(),
            None => format!("[{address}]"),
        };
    }
    if let Ok(address) = bare.parse::<Ipv4Addr>() {
        return address.to_string();
    }
    bare.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_in_one_form() {
        let check = |url: &str, expect: &str| assert_eq!(normal(url), expect, "{url}");
        for url in [
            "https://api.east.example",
            "HTTPS://API.East.Example:443/",
            "https://api.east.example.:0443//",
            "https://user:password@api.east.example",
            "api.east.example",
        ] {
            check(url, "https://api.east.example");
        }
        check("https://api:6443", "https://api:6443");
        check("http://api:80", "http://api");
        check("http://api:443", "http://api:443");
        check("https://host/k8s/clusters/c-1/", "https://host/k8s/clusters/c-1");
        check("https://host/K8S", "https://host/K8S");
        check("https://[::1]:6443", "https://[::1]:6443");
        check("https://[0:0::0:1]:6443/", "https://[::1]:6443");
        check("https://[::ffff:127.0.0.1]:6443", "https://127.0.0.1:6443");
        check("https://[FE80::1]", "https://[fe80::1]");
        check("https://127.0.0.1:6443", "https://127.0.0.1:6443");
        check("", "https://");
    }
}

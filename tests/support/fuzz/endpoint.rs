//! Target for what a client of bundle endpoints takes from others: URLs, and where responses lead.

use meshapply::endpoint::{EndpointUrl, Step, next_step};

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// The first line is a URL, each other one the status and the `Location` of a response.
pub(super) fn endpoint(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.lines();
    let Ok(mut url) = lines.next().unwrap_or_default().parse::<EndpointUrl>() else { return };
    let mut left = REDIRECTS;
    for line in lines {
        check(&url);
        let (status, location) = match line.split_once(' ') {
            Some((status, location)) => (status, Some(location)),
            None => (line, None),
        };
        match next_step(status.parse().unwrap_or_default(), location, &url, left) {
            Step::Follow(next) => url = next,
            Step::Read => {
                assert_eq!(status.parse(), Ok(200));
                return;
            }
            _ => return,
        }
        assert!(left > 0, "more than {REDIRECTS} redirects");
        left -= 1;
    }
    check(&url);
}

/// A URL that is asked is `https`, shows no user, and reads the same.
fn check(url: &EndpointUrl) {
    let text = url.to_string();
    let rest = text.strip_prefix("https://").expect("https");
    let authority = rest.split('/').next().unwrap_or_default();
    assert!(!authority.contains('@') && !url.host().is_empty() && url.port() > 0, "{text}");
    assert!(url.target().starts_with('/') && text.is_ascii(), "{text}");
    assert!(!text.contains(|c: char| c.is_ascii_control() || c == ' '), "{text}");
    assert_eq!(text.parse().as_ref(), Ok(url), "{text}");
    assert_eq!(url.join(&text).as_ref(), Ok(url), "{text}");
}

//! Reads a page of `meshctl report` strictly: a text that became markup is an error, or an element too many.

/// Elements and attributes that a page may have.
const ELEMENTS: &[&str] = &[
    "a", "article", "body", "caption", "code", "dd", "defs", "div", "dl", "dt", "footer", "g",
    "h1", "h2", "h3", "head", "header", "html", "li", "line", "main", "marker", "meta", "nav",
    "ol", "p", "path", "rect", "section", "small", "span", "style", "svg", "table", "tbody", "td",
    "text", "th", "thead", "title", "tr", "ul",
];
const ATTRIBUTES: &[&str] = &[
    "aria-hidden",
    "aria-label",
    "aria-labelledby",
    "charset",
    "class",
    "content",
    "d",
    "fill",
    "font-family",
    "font-size",
    "height",
    "href",
    "http-equiv",
    "id",
    "lang",
    "marker-end",
    "markerHeight",
    "markerUnits",
    "markerWidth",
    "name",
    "orient",
    "refX",
    "refY",
    "role",
    "rx",
    "scope",
    "stroke",
    "stroke-dasharray",
    "stroke-width",
    "tabindex",
    "text-anchor",
    "viewBox",
    "width",
    "x",
    "x1",
    "x2",
    "xmlns",
    "y",
    "y1",
    "y2",
];
/// Elements of HTML without an end.
const VOID: &[&str] = &["meta"];

/// The elements of a page in order, `/` before an end.
///
/// # Panics
/// If it has anything but these elements and attributes, nested as they should be; loads or runs something; or has a
/// character that steers.
#[must_use]
pub fn elements(page: &str) -> Vec<String> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n").expect("HTML");
    let (mut elements, mut open) = (Vec::new(), Vec::new());
    while let Some((text, after)) = rest.split_once('<') {
        check_text(text, open.last().copied());
        let (inside, after) = after.split_once('>').expect("an element ends");
        rest = after;
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{elements:?}");
            elements.push(format!("/{name}"));
            continue;
        }
        let is_empty = inside.ends_with('/');
        let inside = inside.strip_suffix('/').unwrap_or(inside);
        let (name, attributes) = inside.split_once(' ').unwrap_or((inside, ""));
        assert!(ELEMENTS.contains(&name), "<{name}> at {text:?}");
        check_attributes(attributes);
        elements.push(name.to_owned());
        if !is_empty && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!((rest, open.len()), ("\n", 0), "everything ends");
    let count = |name: &str| elements.iter().filter(|element| *element == name).count();
    assert_eq!((count("style"), count("main"), count("h1")), (1, 1, 1));
    elements
}

/// Text has no `>` but in the style sheet, and every `&` begins one of four entities.
fn check_text(text: &str, within: Option<&str>) {
    if within == Some("style") {
        assert!(!text.contains("url(") && !text.contains("@import"), "nothing is loaded");
        return;
    }
    assert!(!text.contains('>') && !text.contains('"'), "{text:?}");
    let steers = |c: char| c != '\n' && meshpki::internals::is_invisible(c);
    assert!(!text.contains(steers), "{text:?}");
    for after in text.split('&').skip(1) {
        let is_known = ["amp;", "lt;", "gt;", "quot;"].iter().any(|one| after.starts_with(one));
        assert!(is_known, "{text:?}");
    }
}

fn check_attributes(mut rest: &str) {
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect("a value in quotes");
        let (value, after) = after.split_once('"').expect("the end of a value");
        assert!(ATTRIBUTES.contains(&name), "{name}={value:?}");
        check_text(value, None);
        match name {
            "href" => assert!(value.starts_with('#'), "{value}"),
            "marker-end" => assert_eq!(value, "url(#to)"),
            _ => {}
        }
        rest = after.strip_prefix(' ').unwrap_or(after);
        assert!(after.is_empty() || after.starts_with(' '), "{after:?}");
    }
}

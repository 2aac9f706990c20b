//! HTML by construction: what comes from outside is only ever a text or the value of an attribute, and escaped in both.

use super::{escaped, safe};

/// Attributes: names are ours, values may be anything.
pub(crate) type Attrs<'a> = &'a [(&'static str, &'a str)];

/// A page that is being written.
pub(crate) struct Html(String);

impl Html {
    /// Begins with text of ours, as it is.
    pub(crate) fn new(head: &str) -> Self {
        Self(head.to_owned())
    }

    /// The text so far.
    pub(crate) fn done(self) -> String {
        self.0
    }

    /// Markup of ours, as it is.
    pub(crate) fn ours(&mut self, markup: &'static str) {
        self.0 += markup;
    }

    /// A picture that was written with [`escaped`] texts.
    pub(crate) fn picture(&mut self, svg: &str) {
        self.0 += svg;
    }

    /// Any text.
    pub(crate) fn text(&mut self, text: &str) {
        self.0 += &escaped(&safe(text));
    }

    /// An element with what `content` writes into it.
    pub(crate) fn element(
        &mut self,
        tag: &'static str,
        attrs: Attrs<'_>,
        content: impl FnOnce(&mut Self),
    ) {
        self.open(tag, attrs);
        self.0.push('>');
        content(self);
        self.0 += "</";
        self.0 += tag;
        self.0.push('>');
    }

    /// An element with a text.
    pub(crate) fn leaf(&mut self, tag: &'static str, attrs: Attrs<'_>, text: &str) {
        self.element(tag, attrs, |html| html.text(text));
    }

    /// An element of SVG without content.
    pub(crate) fn empty(&mut self, tag: &'static str, attrs: Attrs<'_>) {
        self.open(tag, attrs);
        self.0 += "/>";
    }

    /// The end of a line.
    pub(crate) fn line(&mut self) {
        self.0.push('\n');
    }

    fn open(&mut self, tag: &'static str, attrs: Attrs<'_>) {
        self.0.push('<');
        self.0 += tag;
        for (name, value) in attrs {
            self.0.push(' ');
            self.0 += name;
            self.0 += "=\"";
            self.0 += &escaped(&safe(value));
            self.0.push('"');
        }
    }
}

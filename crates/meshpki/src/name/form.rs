//! The forms in which OpenSSL prints names (`-nameopt`; `apps/lib/apps.c: set_name_ex`).

use alloc::vec::Vec;

use crate::oid::Edition;

/// The bits of a form (`include/openssl/asn1.h.in: ASN1_STRFLGS_*`, `include/openssl/x509.h.in: XN_FLAG_*`).
pub(super) mod flag {
    pub(in crate::name) const ESC_2253: u32 = 1;
    pub(in crate::name) const ESC_CTRL: u32 = 2;
    pub(in crate::name) const ESC_MSB: u32 = 4;
    pub(in crate::name) const ESC_QUOTE: u32 = 8;
    pub(in crate::name) const UTF8_CONVERT: u32 = 0x10;
    pub(in crate::name) const IGNORE_TYPE: u32 = 0x20;
    pub(in crate::name) const SHOW_TYPE: u32 = 0x40;
    pub(in crate::name) const DUMP_ALL: u32 = 0x80;
    pub(in crate::name) const DUMP_UNKNOWN: u32 = 0x100;
    pub(in crate::name) const DUMP_DER: u32 = 0x200;
    pub(in crate::name) const ESC_2254: u32 = 0x400;
    pub(in crate::name) const SEP_MASK: u32 = 0xf << 16;
    pub(in crate::name) const SEP_COMMA_PLUS: u32 = 1 << 16;
    pub(in crate::name) const SEP_CPLUS_SPC: u32 = 2 << 16;
    pub(in crate::name) const SEP_SPLUS_SPC: u32 = 3 << 16;
    pub(in crate::name) const SEP_MULTILINE: u32 = 4 << 16;
    pub(in crate::name) const DN_REV: u32 = 1 << 20;
    pub(in crate::name) const FN_MASK: u32 = 3 << 21;
    pub(in crate::name) const FN_SN: u32 = 0;
    pub(in crate::name) const FN_LN: u32 = 1 << 21;
    pub(in crate::name) const FN_OID: u32 = 2 << 21;
    pub(in crate::name) const FN_NONE: u32 = 3 << 21;
    pub(in crate::name) const SPC_EQ: u32 = 1 << 23;
    pub(in crate::name) const DUMP_UNKNOWN_FIELDS: u32 = 1 << 24;
    pub(in crate::name) const FN_ALIGN: u32 = 1 << 25;
}

use flag::{
    DN_REV, DUMP_ALL, DUMP_DER, DUMP_UNKNOWN, DUMP_UNKNOWN_FIELDS, ESC_2253, ESC_2254, ESC_CTRL,
    ESC_MSB, ESC_QUOTE, FN_ALIGN, FN_LN, FN_MASK, FN_NONE, FN_OID, FN_SN, IGNORE_TYPE,
    SEP_COMMA_PLUS, SEP_CPLUS_SPC, SEP_MASK, SEP_MULTILINE, SEP_SPLUS_SPC, SHOW_TYPE, SPC_EQ,
    UTF8_CONVERT,
};

const STRING_RFC2253: u32 = ESC_2253 | ESC_CTRL | ESC_MSB | UTF8_CONVERT | DUMP_UNKNOWN | DUMP_DER;
const RFC2253: u32 = STRING_RFC2253 | SEP_COMMA_PLUS | DN_REV | FN_SN | DUMP_UNKNOWN_FIELDS;
const ONELINE: u32 = STRING_RFC2253 | ESC_QUOTE | SEP_CPLUS_SPC | SPC_EQ | FN_SN;
const MULTILINE: u32 = ESC_CTRL | ESC_MSB | SEP_MULTILINE | SPC_EQ | FN_LN | FN_ALIGN;

/// Every option by name, the bits it sets, and the bits it clears before (`set_name_ex: ex_tbl`).
const OPTIONS: [(&str, u32, u32); 28] = [
    ("esc_2253", ESC_2253, 0),
    ("esc_2254", ESC_2254, 0),
    ("esc_ctrl", ESC_CTRL, 0),
    ("esc_msb", ESC_MSB, 0),
    ("use_quote", ESC_QUOTE, 0),
    ("utf8", UTF8_CONVERT, 0),
    ("ignore_type", IGNORE_TYPE, 0),
    ("show_type", SHOW_TYPE, 0),
    ("dump_all", DUMP_ALL, 0),
    ("dump_nostr", DUMP_UNKNOWN, 0),
    ("dump_der", DUMP_DER, 0),
    ("compat", 0, u32::MAX),
    ("sep_comma_plus", SEP_COMMA_PLUS, SEP_MASK),
    ("sep_comma_plus_space", SEP_CPLUS_SPC, SEP_MASK),
    ("sep_semi_plus_space", SEP_SPLUS_SPC, SEP_MASK),
    ("sep_multiline", SEP_MULTILINE, SEP_MASK),
    ("dn_rev", DN_REV, 0),
    ("nofname", FN_NONE, FN_MASK),
    ("sname", FN_SN, FN_MASK),
    ("lname", FN_LN, FN_MASK),
    ("align", FN_ALIGN, 0),
    ("oid", FN_OID, FN_MASK),
    ("space_eq", SPC_EQ, 0),
    ("dump_unknown", DUMP_UNKNOWN_FIELDS, 0),
    ("RFC2253", RFC2253, u32::MAX),
    ("oneline", ONELINE, u32::MAX),
    ("multiline", MULTILINE, u32::MAX),
    ("ca_default", MULTILINE, u32::MAX),
];

/// A form in which OpenSSL prints names: how it separates, escapes and names attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameForm {
    pub(super) flags: u32,
    pub(super) edition: Edition,
}

impl NameForm {
    /// `C = GB, CN = "Acme, Inc."`: the default of OpenSSL 3.0, and what [`Display`](core::fmt::Display) writes.
    pub const ONELINE: Self = Self::of(ONELINE);
    /// `CN=Acme\, Inc.,C=GB`, of RFC 2253: the last attribute first.
    pub const RFC2253: Self = Self::of(RFC2253);
    /// One attribute a line, by long names.
    pub const MULTILINE: Self = Self::of(MULTILINE);
    /// `C=GB, CN=Acme, Inc.`: the form without any flag, which options add to.
    pub const COMPAT: Self = Self::of(0);
    /// `C=GB, CN=Acme, Inc.`: the default since OpenSSL 3.2 (`apps/lib/apps.c: get_nameopt`). Text is UTF-8, only
    /// control characters are escaped.
    pub const PLAIN: Self =
        Self::of(SEP_CPLUS_SPC | FN_SN | ESC_CTRL | UTF8_CONVERT | DUMP_UNKNOWN | DUMP_DER);

    const fn of(flags: u32) -> Self {
        Self { flags, edition: Edition::V3_0 }
    }

    /// The same with the names of attributes of another edition of OpenSSL; those of 3.0 otherwise.
    pub(crate) const fn with_edition(self, edition: Edition) -> Self {
        Self { edition, ..self }
    }

    /// Whose names of attributes it has.
    pub(crate) const fn edition(self) -> Edition {
        self.edition
    }

    /// The form changed by a value of `-nameopt`: names of forms and flags between commas, each with `-` before it to
    /// remove it; `None` if it names something else. As in OpenSSL, a list with an empty item changes nothing, and what
    /// follows a colon does not matter (`crypto/x509/v3_utl.c: X509V3_parse_list`).
    #[must_use]
    pub fn with_options(self, list: &str) -> Option<Self> {
        let mut flags = self.flags;
        // What is not known is refused in the end, as OpenSSL does it.
        let mut known = true;
        for item in items(list).unwrap_or_default() {
            let (remove, name) = match item.strip_prefix('-') {
                Some(name) => (true, name),
                None => (false, item.strip_prefix('+').unwrap_or(item)),
            };
            let option = OPTIONS.iter().find(|(option, ..)| option.eq_ignore_ascii_case(name));
            let Some((_, bits, mask)) = option else {
                known = false;
                continue;
            };
            flags &= !mask;
            flags = if remove { flags & !bits } else { flags | bits };
        }
        if flags != 0 && flags & SEP_MASK == 0 {
            flags |= SEP_CPLUS_SPC;
        }
        known.then_some(Self { flags, ..self })
    }
}

/// `crypto/x509/v3_utl.c: X509V3_parse_list`, the names alone; `None` for a list that it cannot read. Nothing ends an
/// item after the end of a line.
fn items(list: &str) -> Option<Vec<&str>> {
    let blank = |c: char| matches!(c, ' ' | '\t'..='\r');
    let line = list.find(['\r', '\n']).unwrap_or(list.len());
    let mut names = Vec::new();
    let mut rest = Some(list);
    while let Some(item) = rest {
        // Bytes of the line that are left.
        let left = (line + item.len()).saturating_sub(list.len());
        let comma = item[..left].find(',');
        rest = comma.map(|comma| &item[comma + 1..]);
        let colon = item[..comma.unwrap_or(left)].find(':');
        let item = &item[..comma.unwrap_or(item.len())];
        let (name, value) = match colon {
            Some(colon) => (&item[..colon], Some(&item[colon + 1..])),
            None => (item, None),
        };
        let is_empty = |text: &str| text.trim_matches(blank).is_empty();
        if is_empty(name) || value.is_some_and(is_empty) {
            return None;
        }
        names.push(name.trim_matches(blank));
    }
    Some(names)
}

//! Service account tokens: what they say about themselves, which nothing here trusts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use meshpki::Time;
use serde_json::Value;
use zeroize::Zeroizing;

/// A token that an API server issued. It has no `Debug`.
pub struct ReaderToken {
    /// The token.
    pub token: Zeroizing<String>,
    /// When it ends, as the API server says, which may shorten what was requested.
    pub expires: Time,
}

/// What a token says, without a look at its signature: good for a date in a table, never for a decision about access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `iat`.
    pub issued: Option<Time>,
    /// `exp`; `None`: it has no end, as the tokens in secrets of type `kubernetes.io/service-account-token`.
    pub expires: Option<Time>,
    /// `sub`: `system:serviceaccount:istio-system:istio-reader-service-account`.
    pub subject: Option<String>,
}

impl Claims {
    /// Reads the second part of a JWT; `None` if it is not one.
    #[must_use]
    pub fn read(token: &str) -> Option<Self> {
        let mut parts = token.trim().split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let payload = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?);
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        let claims = claims.as_object()?;
        let time = |name: &str| match claims.get(name)? {
            Value::Number(number) => {
                number.as_i64().or_else(|| number.as_f64().map(whole)).map(Time)
            }
            _ => None,
        };
        let subject = claims.get("sub").and_then(Value::as_str).map(str::to_owned);
        Some(Self { issued: time("iat"), expires: time("exp"), subject })
    }

    /// Whether it has ended at a time.
    #[must_use]
    pub fn has_ended(&self, at: Time) -> bool {
        self.expires.is_some_and(|end| end <= at)
    }

    /// The second from which it is due for a new one: a third of its lifetime before its end, or 30 days before it if it
    /// does not say when it was issued; `within` says otherwise. `None`: it has no end.
    #[must_use]
    pub fn due(&self, within: Option<i64>) -> Option<Time> {
        const THIRTY_DAYS: i64 = 30 * 86_400;
        let end = self.expires?;
        let lifetime = self.issued.map(|start| end.0.saturating_sub(start.0).max(0));
        let before = within.unwrap_or_else(|| lifetime.map_or(THIRTY_DAYS, |whole| whole / 3));
        Some(Time(end.0.saturating_sub(before)))
    }
}

/// A NumericDate may have a fraction (RFC 7519 section 2).
#[allow(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
fn whole(number: f64) -> i64 {
    number as i64
}

//! What time it is by an API server.

use http::Request;
use http::header::DATE;
use k8s_openapi::jiff::fmt::rfc2822;
use kube::client::Body;
use meshpki::Time;

use super::{Kube, ask};
use crate::error::Error;

/// Reads the header `Date` of `/version`, which anyone may get.
pub(super) async fn read(kube: &Kube) -> Result<Option<Time>, Error> {
    let what = || "read the API server's version".to_owned();
    let request = || {
        let request = Request::get("/version").body(Body::empty());
        async move {
            let request = request.map_err(kube::Error::HttpError)?;
            kube.client.send(request).await
        }
    };
    let response = ask(what, request).await?;
    let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
    Ok(date.and_then(|text| {
        // `GMT` is an obsolete zone of RFC 2822, which jiff reads.
        let zoned = rfc2822::parse(text).ok()?;
        Some(Time(zoned.timestamp().as_second()))
    }))
}

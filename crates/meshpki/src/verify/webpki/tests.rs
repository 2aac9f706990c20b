use super::*;

#[test]
fn errors_without_what_they_carry() {
    let time = UnixTime::since_unix_epoch(Duration::from_secs(1));
    for (error, text) in [
        (Error::UnknownIssuer, "UnknownIssuer"),
        (Error::CertExpired { time, not_after: time }, "CertExpired"),
        (Error::TrailingData(::webpki::DerTypeId::Certificate), "TrailingData"),
    ] {
        assert_eq!(fault::words(&error), text);
    }
}

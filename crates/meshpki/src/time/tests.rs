use alloc::string::ToString;

use super::*;

#[test]
fn rfc3339_reads_and_prints() {
    let check = |text: &str, expect: Option<i64>| {
        assert_eq!(text.parse::<Time>().ok().map(|t| t.0), expect, "{text}")
    };
    check("1970-01-01T00:00:00Z", Some(0));
    check("1970-01-01", Some(0));
    check("1969-12-31T23:59:59Z", Some(-1));
    check("2026-11-21T08:00:00+01:00", Some(1_795_244_400));
    check("2026-11-21t07:00:00.75z", Some(1_795_244_400));
    check("2024-02-30T00:00:00Z", None);
    check("2024-02-29T24:00:00Z", None);
    check("2024-02-29T00:00:00", None);
    check("2024-2-29", None);
    check("+024-02-29", None);
    check("", None);
    assert_eq!(Time(1_795_244_400).to_string(), "2026-11-21T07:00:00Z");
    assert_eq!(Time(i64::MAX).to_string(), "@9223372036854775807");
}

#[test]
fn asn1_forms() {
    let check = |generalized, text: &str, expect: Option<&str>| {
        let got = Time::from_asn1(generalized, text.as_bytes()).map(|t| t.to_string());
        assert_eq!(got.as_deref(), expect, "{text}");
    };
    check(false, "491231235959Z", Some("2049-12-31T23:59:59Z"));
    check(false, "500101000000Z", Some("1950-01-01T00:00:00Z"));
    check(false, "5001010000Z", None);
    check(false, "500101000000+", None);
    check(false, "501301000000Z", None);
    check(false, "500101000060Z", None);
    check(true, "20240229000000Z", Some("2024-02-29T00:00:00Z"));
    check(true, "20230229000000Z", None);
    check(true, "00000101000000Z", Some("0000-01-01T00:00:00Z"));
    check(true, "2024022900000Z", None);
}

#[test]
fn asn1_round_trip_across_2050() {
    for text in [
        "1950-01-01T00:00:00Z",
        "2049-12-31T23:59:59Z",
        "2050-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ] {
        let at = text.parse::<Time>().unwrap();
        let (generalized, content) = at.to_asn1().unwrap();
        assert_eq!(generalized, text >= "2050", "{text}");
        assert_eq!(Time::from_asn1(generalized, content.as_bytes()), Some(at));
    }
    assert_eq!(Time::MAX.plus(Duration::from_secs(1)).to_asn1(), None);
    assert_eq!(Time::MIN.minus(Duration::from_secs(1)).to_asn1(), None);
}

#[test]
fn durations() {
    let check =
        |text: &str, expect: Option<Duration>| assert_eq!(parse_duration(text), expect, "{text}");
    check("3650d", Some(3650 * DAY));
    check("42720h", Some(1780 * DAY));
    check("1y1w1d1h1m1s", Some(373 * DAY + Duration::from_secs(3661)));
    check("0d", Some(Duration::ZERO));
    check("", None);
    check("d", None);
    check("-1d", None);
    check("1.5h", None);
    check("99999999999999999999d", None);
    check("20000y", None);
    assert_eq!(words(365 * DAY), "365 days");
    assert_eq!(words(Duration::from_secs(3600)), "60 minutes");
    assert_eq!(words(Duration::from_secs(1)), "1 second");
}

#[test]
fn forms_that_are_only_compared() {
    let check = |generalized, text: &str, expect: Option<&str>| {
        let got = Time::from_asn1_loosely(generalized, text.as_bytes()).map(|t| t.to_string());
        assert_eq!(got.as_deref(), expect, "{text}");
    };
    check(false, "240229120000Z", Some("2024-02-29T12:00:00Z"));
    check(false, "2402291200Z", Some("2024-02-29T12:00:00Z"));
    check(false, "240229120000+0130", Some("2024-02-29T10:30:00Z"));
    check(false, "2402291200-1200", Some("2024-03-01T00:00:00Z"));
    check(true, "20240229120000.25Z", Some("2024-02-29T12:00:00Z"));
    check(true, "202402291200+0000", Some("2024-02-29T12:00:00Z"));
    check(false, "240229120000.25Z", None);
    check(true, "20240229120000.Z", None);
    check(false, "240229120000+1300", None);
    check(false, "240229120000+01", None);
    check(false, "240229120000", None);
    check(false, "230229120000Z", None);
    check(false, "24022912Z", None);
    check(true, "", None);
}

#[test]
fn arithmetic_saturates() {
    let (hour, most) = (Duration::from_millis(3_600_999), Duration::MAX);
    assert_eq!(Time(0) + hour, Time(3600));
    assert_eq!(Time(0) - hour, Time(-3600));
    assert_eq!((Time(1) + most, Time(-2) - most), (Time(i64::MAX), Time(i64::MIN)));
    assert_eq!(Time(7).since(Time(-3)), Duration::from_secs(10));
    assert_eq!(Time(-3).since(Time(7)), Duration::ZERO);
    assert_eq!(Time(-3).abs_diff(Time(7)), Duration::from_secs(10));
    let error = "today".parse::<Time>().unwrap_err().to_string();
    assert!(error.starts_with("`today` is not a valid time: "), "{error}");
}

#[test]
fn durations_as_go_reads_them() {
    let check = |text: &str, expect: Result<i64, &str>| {
        assert_eq!(go_duration(text), expect.map_err(ToString::to_string), "{text}");
    };
    let second = 1_000_000_000;
    check("8760h", Ok(8760 * 3600 * second));
    check("1h30m", Ok(5400 * second));
    check("1.5h", Ok(5400 * second));
    check(".5s", Ok(second / 2));
    check("1.s", Ok(second));
    check("-1m1ms", Ok(-60 * second - 1_000_000));
    check("+3us4\u{b5}s5\u{3bc}s6ns", Ok(12_006));
    check("0", Ok(0));
    check("-0", Ok(0));
    check("0.0000000000000000001h", Ok(0));
    check("2562047h47m16.854775807s", Ok(i64::MAX));
    check("2562048h", Err("invalid duration \"2562048h\""));
    check(
        "99999999999999999999999999999999999999999h",
        Err("invalid duration \"99999999999999999999999999999999999999999h\""),
    );
    check("", Err("invalid duration \"\""));
    check("-", Err("invalid duration \"-\""));
    check(".h", Err("invalid duration \".h\""));
    check("10", Err("missing unit in duration \"10\""));
    check("365d", Err("unknown unit \"d\" in duration \"365d\""));
    check("1 h", Err("unknown unit \" h\" in duration \"1 h\""));
}

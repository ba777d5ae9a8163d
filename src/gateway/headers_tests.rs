use super::*;

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    map
}

/// Proves: PR1 (L, P)
#[test]
fn what_only_the_gateway_says_is_known_in_every_spelling() {
    for ours in [
        "x-forwarded-for",
        "x_forwarded_for",
        "x-forwarded-anything",
        "shiny-server-credentials",
        "shiny_server_credentials",
        "rstudio-connect-credentials",
        "posit-connect-user-session-token",
        "x-rstudio-username",
        "script-name",
        "script_name",
        "path_info",
        "forwarded",
        "keep-alive",
    ] {
        assert!(is_ours(ours), "{ours}");
    }
    for theirs in [
        "x-forwarded",
        "forwarded-by",
        "x-requested-with",
        "script-names",
        "cookie",
        "range",
        "x",
        "p",
    ] {
        assert!(!is_ours(theirs), "{theirs}");
    }
}

/// Proves: PR1 (L, P)
#[test]
fn connection_names_what_ends_here_but_not_what_frames_the_body() {
    let mut map = headers(&[
        ("connection", "X-A, close"),
        ("connection", "content-length, host,, \u{e9}"),
        ("x-a", "1"),
        ("x-b", "2"),
        ("host", "h"),
        ("content-length", "3"),
    ]);
    clean(&mut map);
    let mut left: Vec<&str> = map.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["content-length", "host", "x-b"]);
}

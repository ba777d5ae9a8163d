use super::*;
use crate::gateway::route::{Processes, Route, Serves};

fn entry(path: &str) -> Entry {
    Entry::new(route(path)).unwrap()
}

fn route(path: &str) -> Route {
    let processes = Processes {
        keeps_prefix: false,
        affinity: false,
        is_shiny: false,
        connection_timeout: None,
        read_timeout: None,
        max_hold: std::time::Duration::ZERO,
        fallbacks: None,
        runs_as: None,
    };
    Route {
        app: path.into(),
        name: path.to_owned(),
        path: path.to_owned(),
        host: None,
        access: crate::visitors::AccessRule::All,
        serves: Serves::Processes(processes),
    }
}

fn moved(given: &'static str) -> String {
    let public = Public {
        is_https: true,
        host: HeaderValue::from_static("gw.example:8443"),
        visitor: [127, 0, 0, 1].into(),
    };
    let routes = Routes::default();
    routes.set(route("/p")).unwrap();
    routes.set(route("/other")).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(LOCATION, HeaderValue::from_static(given));
    location(&mut headers, &entry("/p"), &public, &routes);
    headers[LOCATION].to_str().unwrap().to_owned()
}

/// Proves: PR1 (L, P)
#[test]
fn addresses_below_the_root_are_put_below_the_application() {
    for (given, expected) in [
        ("/", "/p/"),
        ("/x?y=/z", "/p/x?y=/z"),
        ("/p", "/p"),
        ("/p/x", "/p/x"),
        ("/px", "/p/px"),
        ("https://gw.example:8443/x", "https://gw.example:8443/p/x"),
        ("HTTP://GW.example:8443/x", "HTTP://GW.example:8443/p/x"),
        ("//gw.example:8443/x", "//gw.example:8443/p/x"),
        ("https://gw.example:8443/p/x", "https://gw.example:8443/p/x"),
        ("https://elsewhere.example/x", "https://elsewhere.example/x"),
        ("//elsewhere.example/x", "//elsewhere.example/x"),
        ("x", "x"),
        ("../x", "../x"),
        ("?x", "?x"),
        ("", ""),
        ("/other/x", "/other/x"),
    ] {
        assert_eq!(moved(given), expected, "{given}");
    }
}

/// Proves: PR1 (L, P)
#[test]
fn cookies_of_the_whole_host_become_the_applications() {
    for (given, expected) in [
        ("a=1; Path=/", Some("a=1; Path=/p/")),
        ("a=1; path=/x; Secure", Some("a=1; Secure; Path=/p/x")),
        ("a=1; Path=/; Path=/p/", None),
        ("a=1; Path=/p/", None),
        ("a=1; Path=/p", None),
        ("a=1", None),
        ("a=1; Path=", None),
        ("__Host-a=1; Path=/; Secure", None),
        ("Path=/", None),
    ] {
        let given = HeaderValue::from_static(given);
        let bounded = bounded(&given, "/p");
        assert_eq!(
            bounded.as_ref().map(|value| value.to_str().unwrap()),
            expected,
            "{given:?}"
        );
    }
}

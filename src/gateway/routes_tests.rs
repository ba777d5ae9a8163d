use proptest::prelude::*;

use super::super::route::{Processes, Serves};
use super::*;

fn route(app: &str, host: Option<&str>, path: &str) -> Route {
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
        app: app.into(),
        name: app.to_owned(),
        path: path.to_owned(),
        host: host.map(str::to_owned),
        access: crate::visitors::AccessRule::All,
        serves: Serves::Processes(processes),
    }
}

/// What is found, in a word.
fn found(routes: &Routes, host: &str, path: &str) -> String {
    match routes.find(host, path) {
        Found::Route(entry) => entry.route.name.clone(),
        Found::Slash(entry) => format!("{}/", entry.route.name),
        Found::OtherHost(entry) => format!("@{}", entry.route.name),
        Found::Nothing => String::new(),
    }
}

/// Proves: PR1 (L, P)
#[test]
fn the_longest_path_wins_by_whole_parts() {
    let routes = Routes::default();
    routes.set(route("a", None, "/a")).unwrap();
    routes.set(route("ab", None, "/a/b")).unwrap();
    routes.set(route("h", Some("h.example"), "/h")).unwrap();
    for (path, expected) in [
        ("/a/", "a"),
        ("/a/x", "a"),
        ("/a/bx", "a"),
        ("/a/b/", "ab"),
        ("/a/b/c/d", "ab"),
        ("/a", "a/"),
        ("/a/b", "ab/"),
        ("/", ""),
        ("", ""),
        ("*", ""),
        ("/b", ""),
        ("//a/", ""),
        ("/A/", ""),
        ("/h/x", "@h"),
        ("/a//b/", "a"),
    ] {
        assert_eq!(found(&routes, "gw", path), expected, "{path}");
    }
    assert_eq!(found(&routes, "h.example", "/h/x"), "h");
    assert_eq!(found(&routes, "h.example", "/"), "h/");
    assert_eq!(found(&routes, "h.example", "/a/"), "");
}

/// Proves: PR1 (L, P)
#[test]
fn who_has_an_address_keeps_it() {
    let routes = Routes::default();
    routes.set(route("first", None, "/a")).unwrap();
    let refused = routes.set(route("second", None, "/a")).unwrap_err();
    let sentence = refused.to_string();
    assert!(
        sentence.starts_with("'second' can not be served at '/a': 'first' is served there already"),
        "{sentence}"
    );
    assert_eq!(found(&routes, "", "/a/"), "first");
    routes.set(route("first", None, "/b")).unwrap();
    routes.set(route("second", None, "/a")).unwrap();
    assert_eq!(
        (found(&routes, "", "/a/"), found(&routes, "", "/b/")),
        ("second".into(), "first".into())
    );
    for path in ["", "/", "a", "/a/", "/a//b", "/./a", "/../a"] {
        assert!(
            matches!(routes.set(route("third", None, path)), Err(Refused::Path { .. })),
            "{path}"
        );
    }
}

proptest! {
    #[test]
    fn the_table_says_what_its_changes_say(
        changes in proptest::collection::vec((0_u8..6, proptest::option::of(("(/[ab]){1,3}", proptest::option::of("[xy]")))), 1..40),
        path in "(/[ab]?){0,5}",
        host in "[xyz]",
    ) {
        let routes = Routes::default();
        let mut known: Vec<(u8, String, Option<String>)> = Vec::new();
        for (app, change) in changes {
            let Some((at, own)) = change else {
                routes.remove(&app.to_string().as_str().into());
                known.retain(|(other, ..)| *other != app);
                continue;
            };
            let is_free = !known.iter().any(|(other, path, _)| *other != app && *path == at);
            known.retain(|(other, path, host)| *other != app || is_free && *path == at && *host == own);
            let set = routes.set(route(&app.to_string(), own.as_deref(), &at));
            prop_assert_eq!(set.is_ok(), is_free);
            if is_free && !known.iter().any(|(other, ..)| *other == app) {
                known.push((app, at, own));
            }
        }
        prop_assert_eq!(routes.count(), known.len());
        let is_own = known.iter().any(|(_, _, own)| own.as_deref() == Some(&host));
        let begins = |at: &str| path == at || path.starts_with(&format!("{at}/"));
        let fits = known.iter().filter(|(_, at, own)| begins(at) && (!is_own || own.as_deref() == Some(&host)));
        let best = fits.max_by_key(|(_, at, _)| at.len());
        let expected = match best {
            Some((app, _, Some(_))) if !is_own => format!("@{app}"),
            Some((app, at, _)) if *at == path => format!("{app}/"),
            Some((app, ..)) => app.to_string(),
            None if is_own && path == "/" => {
                let first = known.iter().find(|(_, _, own)| own.as_deref() == Some(&host));
                format!("{}/", first.unwrap().0)
            }
            None => String::new(),
        };
        prop_assert_eq!(found(&routes, &host, &path), expected);
    }
}

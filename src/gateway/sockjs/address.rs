//! What an address below `__sockjs__/` asks for.

/// What stands between the path of a page and what is asked for it.
pub const SEGMENT: &str = "/__sockjs__/";
/// Longest name of a session or a server.
const LONGEST_NAME: usize = 64;

/// An address, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// The path of the page, with the slash at its end.
    pub page: &'a str,
    /// The connection that it is about; `None` where a broken one does not come back.
    pub line: Option<LineName<'a>>,
    /// What is asked for.
    pub asks: Asks<'a>,
}

/// The name of a connection that outlives what carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineName<'a> {
    /// Random, made by the page.
    pub id: &'a str,
    /// Whether it was there before.
    pub is_back: bool,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks<'a> {
    /// Whether somebody is here.
    Greeting,
    /// What a client should know.
    Info,
    /// The page of a frame.
    Frame,
    /// One of the end points of a session.
    Session {
        /// Its name, made by the client.
        session: &'a str,
        /// The end point.
        transport: Transport,
    },
    /// Nothing that is here.
    Unknown,
}

/// The end points of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Both directions.
    Websocket,
    /// Frames, line by line.
    XhrStreaming,
    /// One frame.
    Xhr,
    /// Frames as events.
    Eventsource,
    /// Frames as scripts of a page.
    Htmlfile,
    /// One frame as a script.
    Jsonp,
    /// Messages of the page.
    XhrSend,
    /// Messages of the page, from a form.
    JsonpSend,
}

const TRANSPORTS: [(&str, Transport); 8] = [
    ("websocket", Transport::Websocket),
    ("xhr_streaming", Transport::XhrStreaming),
    ("xhr", Transport::Xhr),
    ("eventsource", Transport::Eventsource),
    ("htmlfile", Transport::Htmlfile),
    ("jsonp", Transport::Jsonp),
    ("xhr_send", Transport::XhrSend),
    ("jsonp_send", Transport::JsonpSend),
];

impl Transport {
    /// The last part of its address.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = TRANSPORTS.iter().find(|(_, other)| *other == self);
        named.map_or("", |(name, _)| name)
    }
}

/// Understands a path; `None` where it is none of ours. The last `__sockjs__` counts.
#[must_use]
pub fn parse(path: &str) -> Option<Address<'_>> {
    let at = match path.rfind(SEGMENT) {
        Some(at) => at,
        None if path.ends_with(SEGMENT.trim_end_matches('/')) => path.len() + 1 - SEGMENT.len(),
        None => return None,
    };
    let page = &path[..=at];
    let mut rest = path.get(at + SEGMENT.len()..).unwrap_or_default();
    let (first, after) = rest.split_once('/').unwrap_or((rest, ""));
    let line = line_name(first);
    if line.is_some() {
        rest = after;
    }
    let asks = if first.contains('=') && line.is_none() {
        Asks::Unknown
    } else {
        asks(rest)
    };
    Some(Address { page, line, asks })
}

fn line_name(segment: &str) -> Option<LineName<'_>> {
    let (word, id) = segment.split_once('=')?;
    let is_back = match word {
        "n" => false,
        "o" => true,
        _ => return None,
    };
    let is_id =
        (16..=LONGEST_NAME).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_id.then_some(LineName { id, is_back })
}

fn asks(rest: &str) -> Asks<'_> {
    let parts: Vec<&str> = rest.splitn(4, '/').collect();
    match parts[..] {
        [""] => Asks::Greeting,
        ["info"] => Asks::Info,
        [page] if is_frame(page) => Asks::Frame,
        [server, session, name] if is_name(server) && is_name(session) => {
            let named = TRANSPORTS.iter().find(|(other, _)| *other == name);
            named.map_or(Asks::Unknown, |(_, transport)| Asks::Session {
                session,
                transport: *transport,
            })
        }
        _ => Asks::Unknown,
    }
}

fn is_frame(page: &str) -> bool {
    let middle = page
        .strip_prefix("iframe")
        .and_then(|rest| rest.strip_suffix(".html"));
    let is_part =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'_');
    middle.is_some_and(|middle| middle.bytes().all(is_part))
}

fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asks_of(path: &str) -> Asks<'_> {
        parse(path).unwrap().asks
    }

    /// Proves: PR2 (L, P)
    #[test]
    fn the_end_points_are_found() {
        assert_eq!(parse("/index.html"), None);
        assert_eq!(parse("/x__sockjs__/info"), None);
        for path in ["/__sockjs__", "/__sockjs__/"] {
            let address = parse(path).unwrap();
            assert_eq!((address.page, address.asks), ("/", Asks::Greeting));
        }
        let address = parse("/a/doc.Rmd/__sockjs__/info").unwrap();
        assert_eq!((address.page, address.asks), ("/a/doc.Rmd/", Asks::Info));
        assert_eq!(asks_of("/__sockjs__/iframe.html"), Asks::Frame);
        assert_eq!(asks_of("/__sockjs__/iframe-1.6.1.min_x.html"), Asks::Frame);
        assert_eq!(asks_of("/__sockjs__/iframe/.html"), Asks::Unknown);
        assert_eq!(asks_of("/__sockjs__/iframeX.html"), Asks::Unknown);
        for (name, transport) in TRANSPORTS {
            assert_eq!(transport.name(), name);
            let path = format!("/__sockjs__/000/abc_-9/{name}");
            let session = "abc_-9";
            assert_eq!(asks_of(&path), Asks::Session { session, transport });
            assert_eq!(asks_of(&format!("{path}/")), Asks::Unknown);
        }
        for path in [
            "//s/xhr",
            "0//xhr",
            "0/s",
            "0/s/",
            "0/a.b/xhr",
            "0.1/s/xhr",
            "0/s/xhrs",
            "0/s/t/xhr",
        ] {
            assert_eq!(asks_of(&format!("/__sockjs__/{path}")), Asks::Unknown, "{path}");
        }
    }

    /// Proves: PR2 (L, P)
    #[test]
    fn a_connection_that_comes_back_is_told_from_a_new_one() {
        let id = "a1b2c3d4e5f6g7h8i9";
        let new = format!("/__sockjs__/n={id}/000/s/xhr");
        let address = parse(&new).unwrap();
        assert_eq!(address.line, Some(LineName { id, is_back: false }));
        assert!(matches!(address.asks, Asks::Session { session: "s", .. }));
        let back = new.replace("n=", "o=");
        assert_eq!(parse(&back).unwrap().line, Some(LineName { id, is_back: true }));
        for wrong in [
            "n=short",
            "n=",
            "x=a1b2c3d4e5f6g7h8i9",
            "n=a1b2c3d4e5f6g7h8i.",
            &format!("n={}", "a".repeat(65)),
        ] {
            let path = format!("/__sockjs__/{wrong}/000/s/xhr");
            assert_eq!(asks_of(&path), Asks::Unknown, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_understood_or_not(path in "(/|__sockjs__|n=|o=|[a-z0-9.ä]{0,20}|xhr){0,8}") {
            if let Some(address) = parse(&path) {
                prop_assert!(path.starts_with(address.page) && address.page.ends_with('/'));
            }
        }
    }
}

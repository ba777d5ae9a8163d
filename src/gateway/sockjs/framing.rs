//! How each way of receiving carries frames: `o` opens, `a[…]` holds messages, `h` shows that the connection lives, and
//! `c[…]` closes.

use super::address::Transport;
use super::json::quote;

/// Bytes of one answer after which the page asks again: browsers keep all of it in memory.
pub const LONGEST_ANSWER: usize = 128 * 1024;
/// Longest name of a function of the page.
const LONGEST_CALLBACK: usize = 64;

/// Why a session is closed, as the page is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// One of a WebSocket's codes.
    pub code: u16,
    /// For people.
    pub reason: String,
}

impl Close {
    /// With a reason of ours.
    #[must_use]
    pub fn new(code: u16, reason: &str) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
        }
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The session is open.
    Open,
    /// Nothing has happened.
    Heartbeat,
    /// Messages.
    Messages(Vec<String>),
    /// The session is closed.
    Close(Close),
}

impl Frame {
    /// As text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        match self {
            Self::Open => text.push('o'),
            Self::Heartbeat => text.push('h'),
            Self::Messages(messages) => {
                text.reserve(messages.iter().map(|message| message.len() + 16).sum());
                text.push_str("a[");
                for (number, message) in messages.iter().enumerate() {
                    if number > 0 {
                        text.push(',');
                    }
                    quote(message, &mut text);
                }
                text.push(']');
            }
            Self::Close(close) => {
                text.push_str(&format!("c[{},", close.code));
                quote(&close.reason, &mut text);
                text.push(']');
            }
        }
        text
    }
}

/// How one answer carries frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One a line, until the answer is long enough.
    Lines,
    /// One line.
    Line,
    /// Events.
    Events,
    /// Scripts of a page, which call a function of the page around it.
    Page(Callback),
    /// One script, which calls a function of the page.
    Script(Callback),
}

/// The name of a function of the page: nothing that could do more than be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback(String);

/// What is no name of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCallback {
    /// None is given.
    #[error("\"callback\" parameter required")]
    Missing,
    /// It has other letters, or too many.
    #[error("invalid \"callback\" parameter")]
    Invalid,
}

impl Callback {
    /// From the query of an address, where it is `c` or `callback`. Escapes have no place in a name.
    ///
    /// # Errors
    /// [`NoCallback`].
    pub fn of_query(query: &str) -> Result<Self, NoCallback> {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, name) = pairs
            .find(|(key, _)| matches!(*key, "c" | "callback"))
            .ok_or(NoCallback::Missing)?;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        let starts = |part: &str| part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        let is_name =
            name.len() <= LONGEST_CALLBACK && name.bytes().all(is_part) && name.split('.').all(starts);
        match name {
            "" => Err(NoCallback::Missing),
            _ if is_name => Ok(Self(name.to_owned())),
            _ => Err(NoCallback::Invalid),
        }
    }
}

impl Framing {
    /// Of an end point that is received from.
    ///
    /// # Errors
    /// [`NoCallback`], where it needs one.
    pub fn of(transport: Transport, query: &str) -> Result<Self, NoCallback> {
        Ok(match transport {
            Transport::XhrStreaming => Self::Lines,
            Transport::Eventsource => Self::Events,
            Transport::Htmlfile => Self::Page(Callback::of_query(query)?),
            Transport::Jsonp => Self::Script(Callback::of_query(query)?),
            Transport::Xhr | Transport::Websocket | Transport::XhrSend | Transport::JsonpSend => Self::Line,
        })
    }

    /// Whether an answer has more than one frame.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        matches!(self, Self::Lines | Self::Events | Self::Page(_))
    }

    /// The type of the answer.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Lines | Self::Line => "application/javascript; charset=UTF-8",
            Self::Events => "text/event-stream; charset=UTF-8",
            Self::Page(_) => "text/html; charset=UTF-8",
            Self::Script(_) => "application/javascript; charset=UTF-8",
        }
    }

    /// What comes before the first frame: enough for a browser, or what is before it, to begin to pass bytes on.
    #[must_use]
    pub fn prelude(&self) -> String {
        match self {
            Self::Line | Self::Script(_) => String::new(),
            Self::Lines => format!("{}\n", "h".repeat(2048)),
            Self::Events => "\r\n".to_owned(),
            Self::Page(Callback(name)) => format!(
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"UTF-8\"><title>Messages</title></head><body>\n\
                 <script>\nvar c = parent.{name};\nc.start();\nfunction p(frame) {{ c.message(frame); }}\n\
                 window.onload = c.stop;\n</script>\n{}\n",
                " ".repeat(1024)
            ),
        }
    }

    /// A frame, as it is sent.
    #[must_use]
    pub fn wrap(&self, frame: &str) -> String {
        let mut wrapped = String::with_capacity(frame.len() + 32);
        match self {
            Self::Lines | Self::Line => wrapped.extend([frame, "\n"]),
            Self::Events => {
                wrapped.push_str("data: ");
                for letter in frame.chars() {
                    match letter {
                        // The client undoes it: see `decodeURI`.
                        '%' => wrapped.push_str("%25"),
                        '\r' => wrapped.push_str("%0D"),
                        '\n' => wrapped.push_str("%0A"),
                        '\0' => wrapped.push_str("%00"),
                        other => wrapped.push(other),
                    }
                }
                wrapped.push_str("\r\n\r\n");
            }
            Self::Page(_) => {
                let mut quoted = String::with_capacity(frame.len() + 16);
                quote(frame, &mut quoted);
                // A string must not end the script that it is in.
                wrapped.extend([
                    "<script>\np(",
                    &quoted.replace('<', "\\u003c"),
                    ");\n</script>\r\n",
                ]);
            }
            Self::Script(Callback(name)) => {
                // A comment first, so that the answer is nothing else than a script, whatever the name.
                wrapped.extend(["/**/", name, "("]);
                quote(frame, &mut wrapped);
                wrapped.push_str(");\r\n");
            }
        }
        wrapped
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn callback(query: &str) -> Result<String, NoCallback> {
        Callback::of_query(query).map(|Callback(name)| name)
    }

    /// Proves: PR2 (L, P)
    #[test]
    fn frames_are_as_clients_read_them() {
        assert_eq!(Frame::Open.text(), "o");
        assert_eq!(Frame::Heartbeat.text(), "h");
        let messages = Frame::Messages(vec!["a\"".to_owned(), "\u{2028}".to_owned()]);
        assert_eq!(messages.text(), "a[\"a\\\"\",\"\\u2028\"]");
        assert_eq!(
            Frame::Close(Close::new(3000, "Go away!")).text(),
            "c[3000,\"Go away!\"]"
        );
        assert_eq!(Framing::Lines.wrap("o"), "o\n");
        assert_eq!(Framing::Lines.prelude().len(), 2049);
        assert_eq!(Framing::Events.wrap("a[\"5%\"]"), "data: a[\"5%25\"]\r\n\r\n");
        let page = Framing::of(Transport::Htmlfile, "c=_jp.abc").unwrap();
        assert!(page.prelude().len() > 1024 && page.prelude().contains("parent._jp.abc;"));
        assert_eq!(
            page.wrap("a[\"</script>\"]"),
            "<script>\np(\"a[\\\"\\u003c/script>\\\"]\");\n</script>\r\n"
        );
        let script = Framing::of(Transport::Jsonp, "t=1&callback=f").unwrap();
        assert_eq!(script.wrap("o"), "/**/f(\"o\");\r\n");
    }

    /// Proves: PR2 (L, P)
    #[test]
    fn a_callback_is_a_name_and_nothing_else() {
        assert_eq!(callback("c=_jp.a1b2"), Ok("_jp.a1b2".to_owned()));
        for missing in ["", "x=1", "c=", "c"] {
            assert_eq!(callback(missing), Err(NoCallback::Missing), "{missing}");
        }
        for wrong in [
            "c=alert(1)",
            "c=a;b",
            "c=%61",
            "c=a-b",
            "c=.a",
            "c=a.",
            "c=a..b",
            "c=1a",
            "c=a/*",
            "c=ä",
            "c=a b",
        ] {
            assert_eq!(callback(wrong), Err(NoCallback::Invalid), "{wrong}");
        }
        assert_eq!(
            callback(&format!("c={}", "a".repeat(65))),
            Err(NoCallback::Invalid)
        );
    }

    proptest! {
        #[test]
        fn no_frame_breaks_out_of_what_carries_it(messages in proptest::collection::vec(any::<String>(), 0..4)) {
            let frame = Frame::Messages(messages.clone()).text();
            prop_assert!(!frame.contains(['\n', '\r', '\0']));
            let event = Framing::Events.wrap(&frame);
            prop_assert_eq!(event.lines().count(), 2);
            let back = event["data: ".len()..event.len() - 4].replace("%25", "%");
            prop_assert_eq!(&back, &frame);
            let page = Framing::of(Transport::Htmlfile, "c=x").unwrap().wrap(&frame);
            prop_assert_eq!(page.matches('<').count(), 2);
            let quoted = &page["<script>\np(".len()..page.len() - ");\n</script>\r\n".len()];
            prop_assert_eq!(serde_json::from_str::<String>(quoted).unwrap(), frame.clone());
            let script = Framing::of(Transport::Jsonp, "c=x").unwrap().wrap(&frame);
            prop_assert_eq!(serde_json::from_str::<String>(&script[6..script.len() - 4]).unwrap(), frame.clone());
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&frame[1..]).unwrap(), messages);
        }
    }
}

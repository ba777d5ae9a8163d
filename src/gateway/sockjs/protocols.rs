//! The ways in which a Shiny page may speak with the gateway, by the names that settings and pages use.

use super::address::Transport;
use crate::names::PROTOCOLS as NAMES;

/// The protocols that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols(u8);

impl Default for Protocols {
    fn default() -> Self {
        Self::without(&[] as &[&str])
    }
}

impl Protocols {
    /// All but those that are named.
    #[must_use]
    pub fn without<S: AsRef<str>>(disabled: &[S]) -> Self {
        let is_on = |name: &str| !disabled.iter().any(|other| other.as_ref() == name);
        let bits = (0..).zip(NAMES).filter(|(_, name)| is_on(name));
        Self(bits.fold(0, |all, (bit, _): (u8, _)| all | 1 << bit))
    }

    /// Whether none is left.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one may be used.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.names().any(|other| other == name)
    }

    /// Those that may be used, in their order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        (0..)
            .zip(NAMES)
            .filter(move |(bit, _)| self.0 >> *bit & 1 == 1)
            .map(|(_, name)| name)
    }

    /// Whether any that may be used needs this end point. A page and a frame in it ask in the same way.
    #[must_use]
    pub fn need(self, transport: Transport) -> bool {
        let any = |names: &[&str]| names.iter().any(|name| self.has(name));
        match transport {
            Transport::Websocket => any(&["websocket"]),
            Transport::XhrStreaming => any(&["xhr-streaming"]),
            Transport::Eventsource => any(&["iframe-eventsource"]),
            Transport::Htmlfile => any(&["iframe-htmlfile"]),
            Transport::Xhr => any(&["xhr-polling", "iframe-xhr-polling"]),
            Transport::Jsonp | Transport::JsonpSend => any(&["jsonp-polling"]),
            Transport::XhrSend => any(&NAMES[1..6]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PR2 (L, P)
    #[test]
    fn what_is_disabled_is_neither_offered_nor_answered() {
        let all: Vec<_> = Protocols::default().names().collect();
        assert_eq!(all, NAMES);
        for name in NAMES {
            let left = Protocols::without(&[name]);
            assert!(!left.has(name));
            assert_eq!(left.names().count(), 6);
        }
        let left = Protocols::without(&["websocket", "xhr-polling", "jsonp-polling"]);
        assert!(!left.need(Transport::Websocket) && !left.need(Transport::Jsonp));
        assert!(!left.need(Transport::JsonpSend));
        assert!(left.need(Transport::Xhr), "a frame polls there too");
        assert!(left.need(Transport::XhrSend));
        assert!(Protocols::without(&NAMES).is_empty());
        assert!(!Protocols::without(&NAMES[1..]).need(Transport::XhrSend));
    }
}

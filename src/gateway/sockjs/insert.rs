//! Puts something before the end of a page's head, however the page is cut on its way.

/// Where it is put.
const END: &[u8] = b"</head";

/// A page as it passes.
#[derive(Debug)]
pub struct Insert {
    /// What is put in; empty once it is.
    text: String,
    /// The last bytes, which may be the beginning of the place.
    held: Vec<u8>,
}

impl Insert {
    /// Of this text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self {
            text,
            held: Vec::new(),
        }
    }

    /// Whether it is in, so that the rest passes as it is.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.text.is_empty() && self.held.is_empty()
    }

    /// A piece of the page, as far as it can pass.
    #[must_use]
    pub fn pass(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(piece);
        if self.text.is_empty() {
            return bytes;
        }
        let found = bytes
            .windows(END.len())
            .position(|window| window.eq_ignore_ascii_case(END));
        if let Some(at) = found {
            let rest = bytes.split_off(at);
            bytes.extend_from_slice(std::mem::take(&mut self.text).as_bytes());
            bytes.extend_from_slice(&rest);
            return bytes;
        }
        let longest = bytes.len().min(END.len() - 1);
        let begins = |length: &usize| bytes[bytes.len() - length..].eq_ignore_ascii_case(&END[..*length]);
        let held = (1..=longest).rev().find(begins).unwrap_or(0);
        self.held = bytes.split_off(bytes.len() - held);
        bytes
    }

    /// The page ends; what was held back of it.
    #[must_use]
    pub fn end(self) -> Vec<u8> {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(page: &str, cuts: &[usize]) -> String {
        let mut insert = Insert::new("<X>".to_owned());
        let (mut out, mut rest) = (Vec::new(), page.as_bytes());
        for cut in cuts {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            out.extend(insert.pass(piece));
            rest = after;
        }
        out.extend(insert.pass(rest));
        out.extend(insert.end());
        String::from_utf8(out).unwrap()
    }

    /// Proves: PR2 (L, P)
    #[test]
    fn it_is_the_last_of_the_head_and_stands_there_once() {
        assert_eq!(
            whole("<head>a</head><body></head>", &[]),
            "<head>a<X></head><body></head>"
        );
        assert_eq!(whole("<HEAD></HEAD >", &[]), "<HEAD><X></HEAD >");
        assert_eq!(whole("<p>no head</hea", &[]), "<p>no head</hea");
        assert_eq!(whole("<</head>", &[]), "<<X></head>");
    }

    proptest! {
        #[test]
        fn the_cuts_do_not_matter(page in "(</?|head|hea|>|a|</head>){0,12}", cuts in prop::collection::vec(0_usize..6, 0..12)) {
            prop_assert_eq!(whole(&page, &cuts), page.replacen("</head", "<X></head", 1));
        }
    }
}

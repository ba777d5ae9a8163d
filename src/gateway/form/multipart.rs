//! `multipart/form-data` (RFC 7578), read from a body that is whole and of a bounded size. Pure.

use thiserror::Error;

use crate::content::form::{Sent, SentFile};

/// Parts of one body: each of a thousand choices is one.
const MOST_PARTS: usize = 6000;
/// The head of one part.
const MOST_HEAD: usize = 8 * 1024;

/// Why a body is no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum MultipartError {
    /// It is of another type.
    #[error("the request is no form; send multipart/form-data with a boundary")]
    Type,
    /// It is not as its type says.
    #[error("the form is cut off or not multipart/form-data; send it again")]
    Broken,
    /// It has too many parts.
    #[error("the form has more than {MOST_PARTS} answers; leave some out")]
    TooMany,
}

/// The boundary that the content type names.
///
/// # Errors
/// [`MultipartError::Type`].
pub(super) fn boundary(content_type: &str) -> Result<String, MultipartError> {
    let mut words = content_type.split(';');
    let kind = words.next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return Err(MultipartError::Type);
    }
    let boundary = words.find_map(|word| {
        let (name, value) = word.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then_some(value.trim())
    });
    let boundary = boundary.map(|value| value.trim_matches('"')).unwrap_or_default();
    match boundary.len() {
        1..=70 => Ok(boundary.to_owned()),
        _ => Err(MultipartError::Type),
    }
}

/// What was sent.
///
/// # Errors
/// [`MultipartError`].
pub(super) fn parse(body: &[u8], boundary: &str) -> Result<Sent, MultipartError> {
    let opening = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    let mut rest = body
        .strip_prefix(opening.as_bytes())
        .ok_or(MultipartError::Broken)?;
    let mut sent = Sent::default();
    for _ in 0..MOST_PARTS {
        if rest.starts_with(b"--") {
            return Ok(sent);
        }
        rest = rest.strip_prefix(b"\r\n").ok_or(MultipartError::Broken)?;
        let head_end = find(&rest[..rest.len().min(MOST_HEAD)], b"\r\n\r\n").ok_or(MultipartError::Broken)?;
        let (head, after) = (&rest[..head_end], &rest[head_end + 4..]);
        let end = find(after, between.as_bytes()).ok_or(MultipartError::Broken)?;
        add(&mut sent, head, &after[..end])?;
        rest = &after[end + between.len()..];
    }
    Err(MultipartError::TooMany)
}

fn add(sent: &mut Sent, head: &[u8], content: &[u8]) -> Result<(), MultipartError> {
    let head = std::str::from_utf8(head).map_err(|_| MultipartError::Broken)?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    });
    let disposition = disposition.ok_or(MultipartError::Broken)?;
    let name = word(disposition, "name").ok_or(MultipartError::Broken)?;
    if let Some(file) = word(disposition, "filename") {
        let file = SentFile {
            name: file,
            bytes: content.to_owned(),
        };
        sent.files.insert(name, file);
        return Ok(());
    }
    let text = std::str::from_utf8(content).map_err(|_| MultipartError::Broken)?;
    // Forms end lines as the network does.
    let text = text.replace("\r\n", "\n");
    sent.texts.entry(name).or_default().push(text);
    Ok(())
}

/// A word in quotes of a head, as browsers write it: only a quote and line ends are escaped.
fn word(disposition: &str, name: &str) -> Option<String> {
    let wanted = format!("{name}=\"");
    let starts = disposition.match_indices(wanted.as_str());
    // `filename` ends with `name`.
    let (at, _) = starts.into_iter().find(|(at, _)| {
        let before = disposition[..*at].chars().next_back();
        before.is_none_or(|char| char == ' ' || char == ';')
    })?;
    let value = disposition[at + wanted.len()..].split('"').next()?;
    Some(
        value
            .replace("%22", "\"")
            .replace("%0D", "\r")
            .replace("%0A", "\n"),
    )
}

/// Where one is in the other: the first byte is looked for alone, which is fast.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let (first, _) = wanted.split_first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| byte == first) {
        let at = from + at;
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, file, content) in parts {
            let file = file.map_or(String::new(), |file| {
                format!("; filename=\"{file}\"\r\nContent-Type: text/csv")
            });
            body.extend(
                format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").bytes(),
            );
            body.extend(*content);
            body.extend(b"\r\n");
        }
        body.extend(b"--B--\r\n");
        body
    }

    /// Proves: PK6 (L)
    #[test]
    fn texts_and_files_are_told_apart() {
        let sent = parse(
            &body(&[
                ("p0", None, "é\r\nb".as_bytes()),
                ("p1", None, b"0"),
                ("p1", None, b"2"),
                ("p2", Some("a%22.csv"), b"\x00\xff\r\n--C\r\n"),
                ("p3", Some(""), b""),
            ]),
            "B",
        )
        .unwrap();
        assert_eq!(sent.first("p0"), "é\nb");
        assert_eq!(sent.texts["p1"], ["0", "2"]);
        assert_eq!(sent.files["p2"].name, "a\".csv");
        assert_eq!(sent.files["p2"].bytes, b"\x00\xff\r\n--C\r\n");
        assert_eq!(sent.files["p3"].name, "");
    }

    #[test]
    fn what_is_no_form_is_refused() {
        assert_eq!(
            boundary("multipart/form-data; boundary=\"a b\""),
            Ok("a b".to_owned())
        );
        assert_eq!(
            boundary("Multipart/Form-Data; charset=x; Boundary=ab"),
            Ok("ab".to_owned())
        );
        for kind in [
            "",
            "text/plain",
            "multipart/form-data",
            "multipart/form-data; boundary=",
        ] {
            assert_eq!(boundary(kind), Err(MultipartError::Type), "{kind}");
        }
        let whole = body(&[("p0", None, b"x")]);
        for end in 0..whole.len() - 4 {
            assert_eq!(parse(&whole[..end], "B"), Err(MultipartError::Broken), "{end}");
        }
        assert!(parse(&body(&vec![("p", None, &b"x"[..]); MOST_PARTS - 1]), "B").is_ok());
        assert_eq!(
            parse(&body(&vec![("p", None, &b"x"[..]); MOST_PARTS]), "B"),
            Err(MultipartError::TooMany)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(prop_oneof![Just(b'-'), Just(b'B'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..200)) {
            let _ = parse(&bytes, "B");
            let mut begun = b"--B\r\nContent-Disposition: form-data; name=\"p\"\r\n\r\n".to_vec();
            begun.extend(&bytes);
            let _ = parse(&begun, "B");
        }

        #[test]
        fn any_file_comes_whole(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let sent = parse(&body(&[("p", Some("f"), &bytes)]), "B").unwrap();
            prop_assert_eq!(&sent.files["p"].bytes, &bytes);
        }
    }
}

//! What content is told of its visitor: the JSON of the credentials headers.

use std::fmt::Write as _;

use super::Visitor;

/// `{"user":…,"groups":[…]}` in characters that a header can hold: all others are escaped, as JSON allows.
#[must_use]
pub fn credentials(visitor: &Visitor) -> String {
    let mut json = String::from("{\"user\":");
    text(&mut json, &visitor.user);
    json.push_str(",\"groups\":[");
    for (index, group) in visitor.groups.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        text(&mut json, group);
    }
    json.push_str("]}");
    json
}

fn text(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            ' '..='~' => json.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string can not fail.
                    let _ = write!(json, "\\u{unit:04x}");
                }
            }
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(user: &str, groups: &[&str]) -> String {
        credentials(&Visitor {
            user: user.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            uid: None,
        })
    }

    #[test]
    fn credentials_are_json_that_a_header_can_hold() {
        assert_eq!(of("ann", &[]), r#"{"user":"ann","groups":[]}"#);
        assert_eq!(
            of("DOMAIN\\ann", &["a", "b"]),
            r#"{"user":"DOMAIN\\ann","groups":["a","b"]}"#
        );
        assert_eq!(
            of("Jürgen\r\n🦀", &[]),
            r#"{"user":"J\u00fcrgen\u000d\u000a\ud83e\udd80","groups":[]}"#
        );
    }

    proptest! {
        #[test]
        fn whatever_a_name_holds_is_told_as_it_is(user in "\\PC{0,12}|[\\x00-\\x7f]{0,12}", group in "\\PC{0,12}|[\"\\\\,]{0,6}") {
            let told = of(&user, &[&group]);
            prop_assert!(told.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let read: serde_json::Value = serde_json::from_str(&told).unwrap();
            prop_assert_eq!(read, serde_json::json!({"user": user, "groups": [group]}));
        }
    }
}
